// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetNode, FleetPicture } from "#brain/fleet/picture.ts";
import { buildIntent } from "#brain/testing/builders.ts";
import { buildNode, buildScope } from "#brain/testing/fleet.ts";
import { isGiver } from "./is-giver.ts";

function draw(standings: Record<string, FleetNode["standing"]>, holders: string[]): FleetPicture {
  const nodes = Object.entries(standings).map(
    ([id, standing]) => [id, { ...buildNode({ id }), standing }] as const,
  );
  const slots = holders.map((node, index) => ({ slot: index + 1, node }));
  const scope = buildScope(buildIntent([]), {
    assignment: { generation: 1, fence: 1, services: { web: slots }, missing: [] },
  });
  return { nodes: new Map(nodes), scopes: new Map([["shop", scope]]) };
}

const giversOf = (picture: FleetPicture, key = "shop/web"): string[] =>
  [...picture.nodes.keys()].filter((self) => isGiver(key, { self, picture }));

test("one node gives an address: the first of those that have the service and are up", () => {
  const up = { a: "up", b: "up", c: "up" } as const;
  assert.deepEqual(giversOf(draw(up, ["c", "b"])), ["b"]);
  assert.deepEqual(giversOf(draw({ ...up, b: "gone" }, ["c", "b"])), ["c"]);
  assert.deepEqual(giversOf(draw(up, [])), ["a"], "what nobody has any more is taken back by one");
  assert.deepEqual(giversOf(draw(up, ["c"]), "shop/other"), ["a"]);
  assert.deepEqual(giversOf(draw({ a: "suspect", b: "gone" }, ["a"])), ["a", "b"]);
  assert.equal(isGiver("shop/web", undefined), true);
});
