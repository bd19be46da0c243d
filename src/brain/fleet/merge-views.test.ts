// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Assignment } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService } from "#brain/testing/builders.ts";
import { buildNode, buildReport, buildScope } from "#brain/testing/fleet.ts";
import { countElsewhere, mergeViews } from "./merge-views.ts";
import type { FleetScope } from "./picture.ts";

const intent = buildIntent([buildService({ name: "web", replicas: 3 })]);
const nodes = new Map(["a", "b"].map((id) => [id, buildNode({ id })]));
const assignment: Assignment = {
  generation: 7,
  fence: 1,
  services: {
    web: [
      { slot: 1, node: "a" },
      { slot: 2, node: "b" },
      { slot: 3, node: "a" },
    ],
  },
  missing: [],
};
const reports = new Map([
  ["a", buildReport("web", [1, 3])],
  ["b", buildReport("web", [2])],
]);
const whole = (more: Partial<FleetScope> = {}) =>
  buildScope(intent, { assignment, reports, ...more });

describe("mergeViews()", () => {
  test("is settled once each node says so of what is wanted now", () => {
    const view = mergeViews(whole(), nodes);
    assert.equal(view.settled, true);
    const [web] = view.services;
    assert.deepEqual([web?.state, web?.wanted, web?.running, web?.healthy], ["ok", 3, 3, 3]);
    assert.deepEqual(
      web?.instances.map(({ slot, node }) => `${slot}@${node}`),
      ["1@node-a", "2@node-b", "3@node-a"],
    );
    for (const more of [
      { generation: 8 },
      { assignment: undefined },
      { reports: new Map([...reports, ["b", buildReport("web", [2], 6)]]) },
      { reports: new Map([["a", buildReport("web", [1, 3])]]) },
    ])
      assert.equal(mergeViews(whole(more), nodes).settled, false);
  });

  test("says what finds no node, and which node is gone", () => {
    const missing = [{ service: "web", slots: [3], why: "1 of 3 has no node" }];
    const lacking = mergeViews(whole({ assignment: { ...assignment, missing } }), nodes);
    assert.deepEqual(
      [lacking.settled, lacking.services[0]?.state, lacking.services[0]?.reason],
      [false, "degraded", "1 of 3 has no node"],
    );
    const away = new Map([...nodes, ["b", buildNode({ id: "b", standing: "gone" as const })]]);
    const view = mergeViews(whole(), away);
    assert.equal(view.services[0]?.reason, "its node is gone: node-b");
  });

  test("on a fleet of one an instance names no node", () => {
    const alone = new Map([["a", buildNode({ id: "a" })]]);
    const [web] = mergeViews(whole(), alone).services;
    assert.equal(web?.instances[0]?.node, undefined);
  });

  test("while it is taken down it is not settled, and says so", () => {
    const wanted = { ...whole().wanted, removal: { volumes: false } };
    const view = mergeViews(whole({ wanted }), nodes);
    assert.deepEqual(
      [view.settled, view.removing, view.services[0]?.state],
      [false, true, "removing"],
    );
  });
});

test("countElsewhere() counts what other nodes are to have, and say that they have", () => {
  const count = { wanted: 2, started: 2, healthy: 0, completed: 0 };
  assert.deepEqual(countElsewhere(whole(), "b").get("web"), count);
  const late = new Map([["a", buildReport("web", [1], 7, "healthy")]]);
  assert.deepEqual(countElsewhere(whole({ reports: late }), "b").get("web"), {
    wanted: 2,
    started: 1,
    healthy: 1,
    completed: 0,
  });
});
