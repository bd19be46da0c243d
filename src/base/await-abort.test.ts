// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { awaitAbort } from "./await-abort.ts";

test("it resolves when the signal aborts, and for one that has aborted at once", async () => {
  const ending = new AbortController();
  let isOver = false;
  const over = awaitAbort(ending.signal).then(() => (isOver = true));
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  ending.abort();
  await over;
  await awaitAbort(ending.signal);
});
