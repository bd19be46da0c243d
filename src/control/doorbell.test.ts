// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FairleadError } from "#base/errors.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { answerDoorbell, createDoorbell } from "./doorbell.ts";

/** Lets all go on that need not wait for time or a ring. */
const settle = (): Promise<void> => new Promise(setImmediate);

/** A loop that counts its looks; the look numbered `fails` throws. */
async function startLoop(options: { readonly pauseMs?: number; readonly fails?: number } = {}) {
  const { fails, ...answer } = options;
  const clock = createManualClock();
  const bell = createDoorbell(clock);
  const stop = new AbortController();
  const seen = { looks: 0, problems: [] as string[] };
  const look = async (): Promise<void> => {
    seen.looks += 1;
    if (seen.looks === fails) throw new Error("the store is away");
  };
  const onFailed = (thrown: FairleadError): void => void seen.problems.push(thrown.message);
  const ended = answerDoorbell(bell, { look, onFailed, ...answer }, stop.signal);
  await settle();
  return {
    seen,
    async ring() {
      bell.ring();
      await settle();
    },
    async advance(ms: number) {
      await clock.advance(ms);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

describe("answerDoorbell()", () => {
  test("it looks at once, and then once for each ring", async () => {
    await using loop = await startLoop();
    assert.equal(loop.seen.looks, 1);
    await loop.advance(3_600_000);
    assert.equal(loop.seen.looks, 1, "time alone is no reason");
    await loop.ring();
    assert.equal(loop.seen.looks, 2);
  });

  test("what rings while it pauses is one look with the first ring", async () => {
    await using loop = await startLoop({ pauseMs: 150 });
    await loop.ring();
    await loop.advance(149);
    await loop.ring();
    assert.equal(loop.seen.looks, 1);
    await loop.advance(1);
    assert.equal(loop.seen.looks, 2);
    await loop.advance(1_000);
    assert.equal(loop.seen.looks, 2);
  });

  test("after a look that failed it looks again in a second, and not before", async () => {
    await using loop = await startLoop({ fails: 2 });
    await loop.ring();
    assert.equal(loop.seen.problems.length, 1);
    assert.match(loop.seen.problems[0] ?? "", /the store is away/);
    await loop.ring();
    await loop.advance(999);
    assert.equal(loop.seen.looks, 2);
    await loop.advance(1);
    assert.equal(loop.seen.looks, 3, "though nobody rang since");
    await loop.advance(3_600_000);
    assert.equal(loop.seen.looks, 3);
  });
});
