// SPDX-License-Identifier: Apache-2.0
// What a loop waits at: it goes on when somebody rings, or when it is time to look.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createAlarm } from "./alarm.ts";

export interface Doorbell {
  /** What rings while nobody waits is not lost. */
  ring(): void;
  /**
   * Resolves after a ring, after `maxMs`, or when the signal aborts, which has to be the same each time; and `pauseMs` later,
   * if that is given: what rings meanwhile is one ring with the first.
   */
  wait(maxMs: number, signal: AbortSignal, pauseMs?: number): Promise<void>;
}

/** What is done at each ring. */
export interface Answer {
  readonly look: () => Promise<void>;
  /** Called with what kept it from looking: it looks again in a second, whether somebody rings or not. */
  readonly onFailed: (thrown: FairleadError) => void;
  /** After so long it looks though nobody rang; else it waits for a ring. */
  readonly restMs?: number;
  /** So long it waits for more rings before it looks again. */
  readonly pauseMs?: number;
}

const RETRY_MS = 1_000;

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
    async wait(maxMs, signal, pauseMs = 0) {
      if (!isRung && !signal.aborted) {
        alarm ??= listen(signal);
        const woken = new Promise<void>((resolve) => (wake = resolve));
        alarm.set(clock.monotonicMs() + maxMs);
        await woken;
        alarm.set(undefined);
      }
      if (pauseMs > 0) await clock.sleep(pauseMs, signal).catch(() => undefined);
      isRung = false;
    },
  };
}

/** The loop of one who waits at a bell: it looks at once, and then whenever it was rung. Never throws. */
export async function answerDoorbell(
  bell: Doorbell,
  { look, onFailed, restMs = Infinity, pauseMs = 0 }: Answer,
  signal: AbortSignal,
): Promise<void> {
  let nextMs = 0;
  while (!signal.aborted) {
    await bell.wait(restMs, signal, nextMs);
    if (signal.aborted) return;
    nextMs = pauseMs;
    try {
      await look();
    } catch (thrown) {
      onFailed(FairleadError.from(thrown));
      nextMs = RETRY_MS;
      bell.ring();
    }
  }
}
