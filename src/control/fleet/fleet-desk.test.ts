// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScopeReport } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildNode, buildReport, buildScope } from "#brain/testing/fleet.ts";
import type { FleetScope } from "#brain/fleet/picture.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createFleetDesk } from "./fleet-desk.ts";
import type { FleetBoard } from "./fleet-board.ts";
import type { PictureReader } from "./read-picture.ts";

const intent = buildIntent([buildService({ name: "web", replicas: 2 })]);
const nodes = new Map(["a", "b"].map((id) => [id, buildNode({ id })]));

/** A node `a` that has nothing itself, and what its board and pictures say now. */
function openDesk() {
  const clock = createManualClock();
  const now: { identity: string; scope: FleetScope | undefined } = {
    identity: "first",
    scope: undefined,
  };
  const board = {
    get identity() {
      return now.identity;
    },
    hasReports: true,
    problem: undefined,
  } as Partial<FleetBoard> as FleetBoard;
  const pictures = {
    scope: () => now.scope,
    nodes: () => nodes,
  } as Partial<PictureReader> as PictureReader;
  const desk = createFleetDesk({ self: "a", board, pictures, clock });
  const listInstances = () =>
    desk.view(SCOPE, undefined)?.services[0]?.instances.map(({ slot, node }) => `${slot} ${node}`);
  const stands = (reports: Record<string, ScopeReport>, lostMs?: number) =>
    (now.scope = buildScope(intent, { reports: new Map(Object.entries(reports)), lostMs }));
  return { clock, now, listInstances, stands };
}

describe("view() after the store has lost everything", () => {
  test("shows what nodes said before, until each has said it again", () => {
    const { now, listInstances, stands } = openDesk();
    stands({ b: buildReport("web", [1, 2]) });
    assert.deepEqual(listInstances(), ["1 node-b", "2 node-b"]);
    now.identity = "second";
    now.scope = undefined;
    assert.deepEqual(listInstances(), ["1 node-b", "2 node-b"]);
    stands({}, 5);
    assert.deepEqual(listInstances(), ["1 node-b", "2 node-b"]);
    stands({ b: buildReport("web", [2]) }, 10);
    assert.deepEqual(listInstances(), ["2 node-b"]);
    stands({});
    assert.deepEqual(listInstances(), []);
  });

  test("shows it no longer than nodes need to say it again", async () => {
    const { clock, now, listInstances, stands } = openDesk();
    stands({ b: buildReport("web", [1]) });
    assert.deepEqual(listInstances(), ["1 node-b"]);
    now.identity = "second";
    stands({}, 5);
    await clock.advance(15_000);
    assert.deepEqual(listInstances(), []);
  });

  test("does not show what was taken back while the store was there", () => {
    const { now, listInstances, stands } = openDesk();
    stands({ b: buildReport("web", [1]) });
    assert.deepEqual(listInstances(), ["1 node-b"]);
    now.scope = undefined;
    assert.equal(listInstances(), undefined);
  });
});
