// SPDX-License-Identifier: Apache-2.0
// What a loop waits at: it goes on when somebody rings, or when it is time to look.
import type { Clock } from "#base/clock.ts";

export interface Doorbell {
  /** What rings while nobody waits is not lost. */
  ring(): void;
  /** Resolves after a ring, after `maxMs`, or when the signal aborts. */
  wait(maxMs: number, signal: AbortSignal): Promise<void>;
}

/** Makes one that has been rung once: a loop begins by looking. */
export function createDoorbell(clock: Clock): Doorbell {
  let isRung = true;
  let wake: (() => void) | undefined;
  return {
    ring() {
      isRung = true;
      wake?.();
    },
    async wait(maxMs, signal) {
      if (!isRung) {
        const ringing = new AbortController();
        wake = () => ringing.abort();
        const either = AbortSignal.any([signal, ringing.signal]);
        await clock.sleep(maxMs, either).catch(() => undefined);
        wake = undefined;
      }
      isRung = false;
    },
  };
}
