// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIntent, buildService } from "#brain/testing/builders.ts";
import { buildNode, buildScope } from "#brain/testing/fleet.ts";
import { planElsewhere } from "./plan-elsewhere.ts";

const slots = (...nodes: readonly string[]) => nodes.map((node, at) => ({ slot: at + 1, node }));

test("steps on other nodes are named as the nodes will name them, and have the same reasons", () => {
  const nodes = new Map(["a", "b"].map((id) => [id, buildNode({ id })]));
  const [one, three] = [1, 3].map((replicas) =>
    buildScope(buildIntent([buildService({ replicas })])),
  );
  assert.ok(one !== undefined && three !== undefined);
  const plan = (before: typeof one | undefined, next: typeof one, placed: readonly string[]) => {
    const draft = { generation: 8, services: { web: slots(...placed) }, missing: [] };
    return planElsewhere({ before, next, draft, self: "a", nodes }).map(
      ({ act, title, because }) => `${act}: ${title}, ${because}`,
    );
  };
  const had = (...placed: readonly string[]) => ({
    generation: 7,
    services: { web: slots(...placed) },
    missing: [],
    fence: 1,
  });
  assert.deepEqual(plan(undefined, three, ["a", "b", "b"]), [
    "instance.create: created web-2 on node-b, there is no instance 2 of 3",
    "instance.create: created web-3 on node-b, there is no instance 3 of 3",
  ]);
  const before = { ...three, assignment: had("a", "b", "a") };
  assert.deepEqual(plan(before, one, ["a"]), [
    "instance.remove: removed shop-web-2 on node-b, 1 are wanted",
  ]);
  const none = buildScope(buildIntent([]));
  const draft = { generation: 8, services: {}, missing: [] };
  const [gone] = planElsewhere({ before, next: none, draft, self: "a", nodes });
  assert.equal(gone?.because, "down was asked for");
});
