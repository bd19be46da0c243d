// SPDX-License-Identifier: Apache-2.0
// The judge finds each kind of fault, and none where there is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeHistory } from "./message-history.ts";

const CONFIRMED = ["a 0", "a 1", "b 0"];

function judge(deliveries: readonly string[], confirmed: readonly string[] = CONFIRMED) {
  const { lost, strange, disordered, uncounted, ...counts } = judgeHistory(
    confirmed,
    deliveries,
    3,
  );
  return { faults: [...lost, ...strange, ...disordered, ...uncounted], ...counts };
}

test("what is confirmed, handled in order and counted has no fault; again is counted", () => {
  assert.deepEqual(judge(["a 0 1", "b 0 1", "b 0 2", "b 0 4", "a 1 1"]), {
    faults: [],
    confirmed: 3,
    handled: 3,
    again: 2,
  });
});

test("what was handled and not confirmed is none: its sender was killed before it knew", () => {
  assert.deepEqual(judge(["a 0 1", "b 0 1", "a 1 1", "a 2 1"]).faults, []);
});

test("a message that was confirmed and never handled is lost", () => {
  assert.deepEqual(judge(["a 0 1", "b 0 1"]).faults, ["a 1"]);
  assert.deepEqual(judge(["a 0 1", "a 1 1"]).faults, ["b 0"]);
});

test("one that is left out or comes late breaks the order", () => {
  assert.deepEqual(judge(["a 0 1", "b 0 1", "a 2 1"]).faults, ["a 2 1 after 0"]);
  assert.deepEqual(judge(["a 0 1", "b 0 1", "a 1 1", "a 0 2"]).faults, ["a 0 2 after 1"]);
});

test("one that comes again must say so", () => {
  assert.deepEqual(judge(["a 0 1", "a 0 1", "a 1 1", "b 0 1"]).faults, ["a 0 1 after 1"]);
});

test("what nobody can have sent is strange", () => {
  const deliveries = ["a 0 1", "a 1 1", "b 0 1", "a 3 1", "a x 1", "c 0 0", ""];
  assert.deepEqual(judge(deliveries).faults, ["a 3 1", "a x 1", "c 0 0", ""]);
});

test("a confirmation that was written twice counts once", () => {
  assert.equal(judge(["a 0 1", "b 0 1", "a 1 1"], [...CONFIRMED, "a 1"]).confirmed, 3);
});
