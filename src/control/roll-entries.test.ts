// SPDX-License-Identifier: Apache-2.0
// Who gets on a fleet's roll and off it, over a store.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeFarewell, NodeRecord } from "@fairlead/protocol/node.ts";
import { MARKS_OF } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { buildNodeRecord } from "#model/testing/nodes.ts";
import { openStore } from "#store/open.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { enterRoll, leaveRoll, LIVE, markNode, readRoll } from "./roll-entries.ts";

const NOW_MS = 1_800_000_000_000;
const NODE = buildNodeRecord("node-b", { incarnation: 0 });

function bid(how: NodeFarewell["how"], incarnation: number): NodeFarewell {
  return { id: NODE.id, name: NODE.name, incarnation, how, by: "ana", at: "node-a-1" };
}

async function openRoll() {
  const store = await openStore({ kind: "memory" }, { clock: createManualClock() });
  const enter = (own: NodeRecord = NODE, { nowMs = NOW_MS, welcome = false, lived = 0 } = {}) =>
    enterRoll(store, own, { fleet: "harbour", nowMs, welcome, lived });
  const live = (id: string) => store.transact([{ kind: "put", key: LIVE + id, value: 1 }]);
  return { store, enter, live };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError);
    return thrown.kind.id;
  }
  assert.fail("was accepted");
}

describe("a node on the roll", () => {
  test("keeps its marks when it starts anew, not when it comes back after it left", async () => {
    const { store, enter } = await openRoll();
    const first = await enter();
    assert.deepEqual(await markNode(store, NODE, MARKS_OF.drain), { ...first, ...MARKS_OF.drain });
    const second = await enter();
    assert.deepEqual([second.schedulable, second.draining], [false, true]);
    await leaveRoll(store, bid("left", second.incarnation));
    const third = await enter();
    assert.deepEqual([third.schedulable, third.draining], [true, false]);
  });

  test("has a later life each time, also with a clock that is behind, and after it left", async () => {
    const { store, enter } = await openRoll();
    const lives = [await enter(), await enter(NODE, { nowMs: 1_000 })];
    await leaveRoll(store, bid("left", lives.at(-1)?.incarnation ?? 0));
    lives.push(await enter(NODE, { nowMs: 1_000 }));
    assert.deepEqual(
      lives.map(({ incarnation }) => incarnation - NOW_MS),
      [0, 1, 2],
    );
  });

  test("has a later life also on a roll that was lost, by what it knows itself", async () => {
    const { enter } = await openRoll();
    const { incarnation } = await enter(NODE, { nowMs: 1_000, lived: NOW_MS });
    assert.equal(incarnation, NOW_MS + 1);
  });

  test("that was removed stays out until it is welcome", async () => {
    const { store, enter } = await openRoll();
    const { incarnation } = await enter();
    await leaveRoll(store, bid("removed", incarnation));
    assert.equal(await refusal(enter()), "FL0740");
    assert.deepEqual((await readRoll(store)).records, []);
    assert.equal((await enter(NODE, { welcome: true })).incarnation, NOW_MS + 1);
  });

  test("is removed only while it has no lease; it may leave with one", async () => {
    const { store, enter, live } = await openRoll();
    const { incarnation } = await enter();
    await live(NODE.id);
    assert.equal(await leaveRoll(store, bid("removed", incarnation)), false);
    assert.equal((await readRoll(store)).records.length, 1);
    assert.equal(await leaveRoll(store, bid("left", incarnation)), true);
    const { records, live: alive } = await readRoll(store);
    assert.deepEqual([records.length, alive.size], [0, 0]);
  });

  test("has its name for itself while it lives, and its id in one life only", async () => {
    const { enter, live } = await openRoll();
    const first = await enter();
    const other = { ...NODE, id: "node-b-2" };
    await enter(other);
    await live(NODE.id);
    assert.equal(await refusal(enter(other)), "FL0711");
    await enter(NODE, { nowMs: NOW_MS + 5 });
    assert.equal(await refusal(enter(first)), "FL0711", "a copy of this host's state runs");
  });

  test("cannot be marked when it is not there", async () => {
    const { store } = await openRoll();
    assert.equal(await refusal(markNode(store, NODE, MARKS_OF.cordon)), "FL0701");
  });
});
