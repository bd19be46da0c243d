// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Assignment } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildNode, buildReport, buildScope, type NodeParts } from "#brain/testing/fleet.ts";
import { assignScopes } from "./assign-scopes.ts";
import { describeMoves } from "./describe-moves.ts";
import type { FleetPicture } from "./picture.ts";
import { rebalance } from "./rebalance.ts";

const services = { web: [1, 2, 3].map((slot) => ({ slot, node: slot === 2 ? "b" : "a" })) };
const crowded: Assignment = { generation: 7, fence: 1, services, missing: [] };
const wellOn = { a: buildReport("web", [1, 3]), b: buildReport("web", [2]) };

function picture(
  c: Partial<NodeParts> = {},
  { service = {}, assignment = crowded, reports = wellOn as object } = {},
): FleetPicture {
  const nodes = [{ id: "a" }, { id: "b" }, { ...c, id: "c" }].map(buildNode);
  const intent = buildIntent([buildService({ name: "web", replicas: 3, ...service })]);
  const scope = buildScope(intent, { assignment, reports: new Map(Object.entries(reports)) });
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    scopes: new Map([[SCOPE, scope]]),
  };
}

describe("rebalance()", () => {
  test("gives a node that is back one instance, which runs on where it was meanwhile; then it is calm", () => {
    const before = picture();
    assert.deepEqual(assignScopes(before), []);
    const change = rebalance(before);
    assert.ok(change?.draft !== undefined);
    assert.deepEqual(change.draft.services["web"], [
      { slot: 1, node: "a" },
      { slot: 2, node: "b" },
      { slot: 3, node: "c", from: ["a"], spreads: true },
    ]);
    const assignment = { ...change.draft, fence: 1 };
    assert.deepEqual(assignScopes(picture({}, { assignment })), []);
    const lost = assignScopes(picture({ standing: "gone" }, { assignment }));
    assert.deepEqual(lost[0]?.draft?.services["web"]?.[2]?.node, "a");
    assert.equal(rebalance(picture({}, { assignment })), undefined);
    const reports = { ...wellOn, c: buildReport("web", [3]) };
    const [settled] = assignScopes(picture({}, { assignment, reports }));
    const last = { ...crowded, services: settled?.draft?.services ?? {} };
    assert.equal(rebalance(picture({}, { assignment: last, reports })), undefined);
    const scope = before.scopes.get(SCOPE);
    assert.ok(scope !== undefined);
    const moves = describeMoves(scope, { ...change, draft: change.draft }, before.nodes, 1);
    assert.deepEqual(
      moves.map(({ title, trigger }) => [title, trigger.detail]),
      [["placed web-3 on node-c", "2 are together there, 0 where it goes"]],
    );
  });

  for (const [why, one] of [
    ["a node that has just come", picture({ upMs: 29_999 })],
    ["a node that is suspect", picture({ standing: "suspect" })],
    ["a cordoned node", picture({ schedulable: false })],
    ["what is not well", picture({}, { reports: { a: buildReport("web", [1]) } })],
    ["singletons", picture({}, { service: { singleton: true } })],
    ["what is to stay", picture({}, { service: { failover: "stay" } })],
  ] as const)
    test(`leaves alone ${why}`, () => assert.equal(rebalance(one), undefined));
});
