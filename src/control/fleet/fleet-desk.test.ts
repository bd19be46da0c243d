// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScopeReport } from "@fairlead/protocol/assignment.ts";
import type { FleetScope } from "#brain/fleet/picture.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildNode, buildReport, buildScope, type NodeParts } from "#brain/testing/fleet.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import type { FleetBoard } from "./fleet-board.ts";
import { createFleetDesk } from "./fleet-desk.ts";
import type { PictureReader } from "./read-picture.ts";

const intent = buildIntent([buildService({ name: "web", replicas: 2 })]);
const both = new Map(["a", "b"].map((id) => [id, buildNode({ id })]));

/** A node `a` that has nothing itself, and what its board and pictures say now. */
function openDesk() {
  const clock = createManualClock();
  const now: { identity: string; scope: FleetScope | undefined; nodes: typeof both } = {
    identity: "first",
    scope: undefined,
    nodes: both,
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
    nodes: () => now.nodes,
  } as Partial<PictureReader> as PictureReader;
  const desk = createFleetDesk({ self: "a", board, roll: { problem: undefined }, pictures, clock });
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

test("view() shows what a node said last that does not reach the store, until it says it again, has it no more, or is gone", () => {
  const { now, listInstances, stands } = openDesk();
  const see = (parts: Partial<NodeParts>): void => {
    now.nodes = new Map([...both, ["b", buildNode({ id: "b", ...parts })]]);
  };
  stands({ b: buildReport("web", [1, 2]) });
  assert.deepEqual(listInstances(), ["1 node-b", "2 node-b"]);
  stands({});
  for (const standing of ["away", "suspect", "up"] as const) {
    see({ silent: true, standing });
    assert.deepEqual(listInstances(), ["1 node-b", "2 node-b"]);
  }
  stands({ b: buildReport("web", [2]) });
  see({});
  assert.deepEqual(listInstances(), ["2 node-b"]);
  stands({});
  assert.deepEqual(listInstances(), []);
  stands({ b: buildReport("web", [2]) });
  assert.deepEqual(listInstances(), ["2 node-b"]);
  stands({});
  see({ silent: true, standing: "gone" });
  assert.deepEqual(listInstances(), []);
});

/** A desk of a node that has just started: what it has read by now. */
function beginDesk() {
  const clock = createManualClock();
  const now = { identity: undefined as string | undefined, hasReports: false };
  const roll: { problem: string | undefined } = { problem: "the store was not asked yet" };
  const ready = Promise.withResolvers<void>();
  const board = {
    get identity() {
      return now.identity;
    },
    get hasReports() {
      return now.hasReports;
    },
    holdReports: () => ({ ready: ready.promise, [Symbol.dispose]: () => undefined }),
    problem: undefined,
  } as Partial<FleetBoard> as FleetBoard;
  const pictures = {
    scope: (name: string) =>
      now.identity !== undefined && name === SCOPE ? buildScope(intent) : undefined,
    nodes: () => new Map([["a", buildNode({ id: "a" })]]),
  } as Partial<PictureReader> as PictureReader;
  const desk = createFleetDesk({ self: "a", board, roll, pictures, clock });
  return { clock, now, roll, ready, desk };
}

describe("a desk that has just begun", () => {
  test("knows nothing of any scope until store, roll and reports were read, and then of those that are not the fleet's", () => {
    const { now, roll, desk } = beginDesk();
    const looks = () => [desk.isWhole, desk.mayBePart(SCOPE), desk.mayBePart("own")];
    assert.deepEqual(looks(), [false, true, true]);
    now.identity = "first";
    now.hasReports = true;
    assert.deepEqual(looks(), [false, true, true]);
    roll.problem = undefined;
    assert.deepEqual(looks(), [true, false, false]);
    roll.problem = "it does not answer";
    assert.deepEqual(looks(), [true, false, false]);
    now.hasReports = false;
    assert.deepEqual(looks(), [false, true, false]);
  });

  test("is waited for while it reads them, and not for ever", async () => {
    const { clock, now, roll, ready, desk } = beginDesk();
    const told: string[] = [];
    const tell = (what: string) => () => void told.push(what);
    void desk.whole().then(tell("first"));
    await clock.advance(1_000);
    now.identity = "first";
    roll.problem = undefined;
    await clock.advance(100);
    assert.equal(told.join(), "");
    now.hasReports = true;
    ready.resolve();
    await clock.advance(1);
    assert.equal(told.join(), "first");
    const vain = beginDesk();
    void vain.desk.whole().then(tell("late"));
    await vain.clock.advance(3_100);
    assert.equal(told.join(), "first,late");
    assert.equal(vain.desk.mayBePart(SCOPE), true);
  });
});
