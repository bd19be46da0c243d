// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatherCalls } from "./gather-calls.ts";

test("calls of one moment are one run, after what else is done in it", async () => {
  const done: string[] = [];
  const settle = gatherCalls(() => void done.push("run"));
  const calls = [settle(), settle()];
  await Promise.resolve().then(() => done.push("of the same moment"));
  await Promise.all([...calls, settle()]);
  assert.deepEqual(done, ["of the same moment", "run"]);
});

test("a call during a run asks for another, and waits for that", async () => {
  let runs = 0;
  let again: Promise<void> | undefined;
  const settle = gatherCalls(() => {
    runs += 1;
    if (runs === 1) again = settle();
  });
  await settle();
  assert.equal(runs, 1);
  await again;
  assert.equal(runs, 2);
});
