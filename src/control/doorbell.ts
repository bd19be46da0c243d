// SPDX-License-Identifier: Apache-2.0
// What a loop waits at: it goes on when somebody rings, or when it is time to look.
import type { Clock } from "#base/clock.ts";
import { createAlarm } from "./alarm.ts";

export interface Doorbell {
  /** What rings while nobody waits is not lost. */
  ring(): void;
  /** Resolves after a ring, after `maxMs`, or when the signal aborts, which has to be the same each time. */
  wait(maxMs: number, signal: AbortSignal): Promise<void>;
}

/** Makes one that has been rung once: a loop begins by looking. */
export function createDoorbell(clock: Clock): Doorbell {
  let isRung = true;
  let wake = (): void => undefined;
  let alarm: ReturnType<typeof createAlarm> | undefined;

  function listen(signal: AbortSignal): ReturnType<typeof createAlarm> {
    signal.addEventListener("abort", () => wake(), { once: true });
    return createAlarm(clock, () => wake(), signal);
  }

  return {
    ring() {
      isRung = true;
      wake();
    },
    async wait(maxMs, signal) {
      if (!isRung && !signal.aborted) {
        alarm ??= listen(signal);
        const woken = new Promise<void>((resolve) => (wake = resolve));
        alarm.set(clock.monotonicMs() + maxMs);
        await woken;
        alarm.set(undefined);
      }
      isRung = false;
    },
  };
}
