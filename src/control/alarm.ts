// SPDX-License-Identifier: Apache-2.0
// A time at which to look again, which is put off far more often than it comes. So a timer that runs is left to run, and
// is asked what the time is now when it ends.
import type { Clock } from "#base/clock.ts";

export interface Alarm {
  /** At which monotonic time to go off; undefined for never. Replaces what was set before. */
  set(atMs: number | undefined): void;
}

/** Why a timer was ended: told to nobody, and cheaper than a reason with a stack. */
const EARLIER = "it has to go off earlier";

/** One that is not set. It calls `act` once each time that it goes off, and never after the signal has aborted. */
export function createAlarm(clock: Clock, act: () => void, signal: AbortSignal): Alarm {
  let dueMs = Infinity;
  /** When the timer that runs ends. */
  let timerMs = Infinity;
  let cancel = new AbortController();
  signal.addEventListener("abort", () => cancel.abort(EARLIER), { once: true });

  function arm(): void {
    timerMs = dueMs;
    const delayMs = Math.max(0, dueMs - clock.monotonicMs());
    clock.sleep(delayMs, cancel.signal).then(end, () => undefined);
  }

  function end(): void {
    timerMs = Infinity;
    if (signal.aborted || dueMs === Infinity) return;
    if (clock.monotonicMs() < dueMs) {
      arm();
      return;
    }
    dueMs = Infinity;
    act();
  }

  return {
    set(atMs = Infinity) {
      dueMs = atMs;
      if (signal.aborted || timerMs <= atMs) return;
      if (timerMs !== Infinity) {
        cancel.abort(EARLIER);
        cancel = new AbortController();
      }
      arm();
    },
  };
}
