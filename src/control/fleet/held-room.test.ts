// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createHeldRoom } from "./held-room.ts";

const LINGER_MS = 60_000;
const TIMES = 5;

test("a room that is held and let go again and again leaves nothing at the signal", async () => {
  const clock = createManualClock();
  await using store = createMemoryStore({ clock });
  const ending = new AbortController();
  const { signal } = ending;
  let left = Promise.withResolvers<void>();
  const room = createHeldRoom({
    prefix: "reports/",
    clock,
    onList: () => undefined,
    onChanges: () => undefined,
    onLeave: () => left.resolve(),
  });
  const following = room.follow(store, undefined, signal);
  following.catch(() => undefined);
  const counts = new Set<number>();
  for (let time = 0; time < TIMES; time++) {
    left = Promise.withResolvers();
    const hold = room.hold();
    await hold.ready;
    counts.add(getEventListeners(signal, "abort").length);
    hold[Symbol.dispose]();
    await clock.advance(2 * LINGER_MS);
    await left.promise;
  }
  assert.equal(counts.size, 1, [...counts].join());
  ending.abort();
  await assert.rejects(following);
});
