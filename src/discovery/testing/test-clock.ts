// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";

/** This machine's time, with a wall clock that may be wrong by `skewMs`. */
export function createTestClock(skewMs = 0): Clock {
  return {
    nowMs: () => Date.now() + skewMs,
    monotonicMs: () => performance.now(),
    sleep: (delayMs, signal) => sleep(delayMs, undefined, signal === undefined ? {} : { signal }),
  };
}
