// SPDX-License-Identifier: Apache-2.0
// Who stands on the roll while the store tells of it, and after it has lost what it told.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeFarewell } from "@fairlead/protocol/node.ts";
import { silentLogger } from "#base/logger.ts";
import { buildNodeRecord } from "#model/testing/nodes.ts";
import type { StoreChange } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { FAREWELLS, LIVE, NODES } from "./roll-entries.ts";
import { createRollRecords } from "./roll-records.ts";

const A = buildNodeRecord("node-a");
const B = buildNodeRecord("node-b");
const C = buildNodeRecord("node-c");

const put = (key: string, value: unknown) => ({ kind: "put" as const, key, value, revision: 1 });
const drop = (key: string): StoreChange => ({ kind: "delete", key, revision: 1 });
const farewell = (at: string): NodeFarewell => ({
  id: C.id,
  name: C.name,
  incarnation: 1,
  how: "left",
  by: "ana",
  at,
});

/** The records of `node-a` after the store told of all three, and what the turns were told. */
function openRecords() {
  const clock = createManualClock();
  const told: string[] = [];
  const marks: boolean[] = [];
  const records = createRollRecords({
    self: A.id,
    turns: {
      expect: (id) => void told.push(`expect ${id}`),
      forget: (id) => void told.push(`forget ${id}`),
      take: ({ name, how }) => void told.push(`${name} ${how}`),
    },
    clock,
    logger: silentLogger,
    onOwn: ({ draining }) => void marks.push(draining),
  });
  const read = (...entries: ReturnType<typeof put>[]) => records.read({ revision: 1, entries });
  read(...[C, A, B].map((one) => put(NODES + one.id, one)), put(LIVE + B.id, 1));
  const names = () => records.list().map(({ name }) => name);
  return { clock, told, marks, records, read, names };
}

describe("the records of a roll", () => {
  test("stand there by name, and newcomers are expected once", () => {
    const { told, records, names } = openRecords();
    assert.deepEqual(names(), ["node-a", "node-b", "node-c"]);
    assert.deepEqual([records.isLive(B.id), records.isLive(C.id)], [true, false]);
    const d = buildNodeRecord("node-aa");
    assert.equal(records.take(put(NODES + d.id, d)), true);
    assert.equal(records.take(put(NODES + d.id, d)), true);
    assert.equal(records.take(drop(LIVE + B.id)), false);
    assert.deepEqual(names(), ["node-a", "node-aa", "node-b", "node-c"]);
    assert.equal(records.isLive(B.id), false);
    assert.deepEqual(told, [`expect ${d.id}`]);
  });

  test("keep the record before when the one that is written cannot be read", () => {
    const { records } = openRecords();
    assert.equal(records.take(put(NODES + B.id, { name: 1 })), false);
    assert.deepEqual(records.get(B.id), B);
  });

  test("tell this node what others marked it", () => {
    const { marks, records } = openRecords();
    records.take(put(NODES + A.id, { ...A, draining: true }));
    assert.deepEqual(marks, [false, true]);
  });

  test("tell of a farewell unless this node wrote it", () => {
    const { told, records, names } = openRecords();
    records.take(put(FAREWELLS + C.id, farewell(A.id)));
    records.take(put(FAREWELLS + C.id, farewell(B.id)));
    records.take(drop(NODES + C.id));
    assert.deepEqual(told, ["node-c left", `forget ${C.id}`]);
    assert.deepEqual(names(), ["node-a", "node-b"]);
  });
});

describe("a store that has lost its roll", () => {
  test("has those that said no farewell stand there until they had time to enter again", async () => {
    const { clock, told, records, read, names } = openRecords();
    read(put(FAREWELLS + C.id, farewell(B.id)));
    assert.deepEqual(names(), ["node-b"]);
    assert.deepEqual(told, [`forget ${C.id}`, "node-c left", `forget ${A.id}`]);
    await clock.advance(9_000);
    assert.equal(records.dropLate(), false);
    await clock.advance(1_000);
    assert.equal(records.dropLate(), true);
    assert.deepEqual([names(), told.at(-1)], [[], `forget ${B.id}`]);
  });

  test("keeps who entered again", async () => {
    const { clock, records, read, names } = openRecords();
    read();
    records.take(put(NODES + B.id, B));
    await clock.advance(10_000);
    assert.equal(records.dropLate(), true);
    assert.deepEqual(names(), ["node-b"]);
  });
});
