// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { PlacementView } from "@fairlead/protocol/placement.ts";
import { FairleadError } from "#base/errors.ts";
import { buildFacts, buildInstance, buildIntent, buildService } from "#brain/testing/builders.ts";
import { buildNode, buildScope } from "#brain/testing/fleet.ts";
import type { Facts } from "#model/facts.ts";
import { buildNodeView } from "#model/testing/nodes.ts";
import { createPlacementDesk } from "./placement.ts";

const SELF = buildNodeView("host7", {
  id: "node_1",
  cpuCount: 4,
  memoryBytes: 8 * 2 ** 30,
  self: true,
});
const placement = { ...PLACEMENT_DEFAULT, cpuMillis: 1_500 };
const HostConfig = { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } };
const INTENT = buildIntent([
  buildService({ name: "web", replicas: 3, placement }),
  buildService({ name: "proxy", container: { Image: "x", HostConfig } }),
]);
const PORT = { hostIp: "0.0.0.0", hostPort: 8_080, containerPort: 80, protocol: "tcp" };

function createDesk(facts: Facts, views: readonly NodeView[] = [SELF]) {
  return createPlacementDesk({
    roll: { list: () => views, problem: undefined },
    intents: () => [INTENT, { ...INTENT, scope: "other" }],
    board: { read: () => facts, problem: undefined },
  });
}

test("one host: what stands, what is free, what it would not take, and that only constraints hold here", async () => {
  const desk = createDesk(buildFacts([buildInstance({ service: "web" })]));
  const view = await desk.explain("web", "shop");
  PlacementView.parse(view);
  assert.deepEqual([view.service, view.wanted, view.missing], ["web", 3, 2]);
  assert.match(view.summary, /^2 of 3 have no node: processor on 1 \(host7: needs 1.5 cores/);
  assert.deepEqual(
    view.nodes.map(({ name, instances, takes }) => [name, instances, takes]),
    [["host7", 1, false]],
  );
  assert.match(view.notes.join(), /by itself/);
});

test("ports that a stranger's container holds are taken", async () => {
  const stranger = buildInstance({ scope: "", service: "", ports: [PORT] });
  const view = await createDesk(buildFacts([stranger])).explain("shop/proxy", undefined);
  assert.match(view.summary, /port tcp\/8080 on 1/);
});

test("nodes of the fleet are asked too: those that are suspect or cordoned say so", async () => {
  const other = (name: string, more: Partial<NodeView>) => ({
    ...SELF,
    id: name,
    name,
    self: false,
    ...more,
  });
  const views = [SELF, other("b", { state: "suspect" }), other("c", { schedulable: false })];
  const { nodes, notes } = await createDesk(buildFacts([]), views).explain("web", "shop");
  assert.deepEqual(
    nodes.map(({ name, reason }) => [name, reason.split(" ")[0]]),
    [
      ["b", "suspect"],
      ["c", "cordoned"],
      ["host7", "processor"],
    ],
  );
  assert.deepEqual(notes, ["what runs on other nodes is not counted"]);
});

test("what is unknown, of two scopes, or not to be known yet is an error", async () => {
  const desk = createDesk(buildFacts([]));
  const idOf = (asking: Promise<unknown>): Promise<string> =>
    asking.then(
      () => "",
      (thrown: unknown) => FairleadError.from(thrown).kind.id,
    );
  assert.equal(await idOf(desk.explain("webb", "shop")), "FL0701");
  assert.equal(await idOf(desk.explain("web", undefined)), "FL0702");
  assert.equal(
    await idOf(createDesk(buildFacts([], { node: undefined })).explain("web", "shop")),
    "FL0704",
  );
});

test("where a fleet wants something its whole picture counts, with what stands on every node", async () => {
  const [intent, nodes] = [buildIntent([buildService({ replicas: 4, placement })]), ["a", "b"]];
  const assignment = {
    generation: 7,
    fence: 1,
    services: { web: [{ slot: 1, node: "b" }] },
    missing: [],
  };
  const desk = createPlacementDesk({
    roll: { list: () => [SELF], problem: "the store does not answer" },
    intents: () => [],
    picture: async () => ({
      nodes: new Map(nodes.map((id) => [id, buildNode({ id })])),
      scopes: new Map([["shop", buildScope(intent, { assignment })]]),
    }),
    board: { read: () => buildFacts([]), problem: undefined },
  });
  const view = await desk.explain("web", "shop");
  assert.deepEqual([view.wanted, view.missing], [4, 0]);
  assert.deepEqual(
    view.nodes.map(({ name, instances, takes }) => [name, instances, takes]),
    [
      ["node-a", 2, false],
      ["node-b", 2, false],
    ],
  );
  assert.deepEqual(view.notes, ["this may be old: the store does not answer"]);
});

test("a service that is not there is said with the scope that was looked at", async () => {
  const desk = createDesk(buildFacts([]));
  await assert.rejects(desk.explain("worker", "shop"), /nothing called "worker" in shop$/);
  await assert.rejects(desk.explain("worker", undefined), /nothing called "worker"$/);
});
