// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves both times on, wakes the sleepers whose time has come, and lets them run. */
  advance(ms: number): Promise<void>;
  /** Moves only the wall clock, as NTP or an operator does. */
  jump(ms: number): void;
  /** Sleepers that wait. */
  readonly sleeping: number;
}

/** A clock at the start of 2026. */
export function createManualClock(): ManualClock {
  let wallMs = Date.UTC(2026, 0, 1);
  let monotonicMs = 1000;
  const sleepers = new Map<() => void, number>();
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        function stop(): void {
          sleepers.delete(wake);
          reject(signal?.reason);
        }
        function wake(): void {
          sleepers.delete(wake);
          signal?.removeEventListener("abort", stop);
          resolve();
        }
        signal?.addEventListener("abort", stop, { once: true });
        sleepers.set(wake, monotonicMs + delayMs);
      });
    },
    async advance(ms) {
      wallMs += ms;
      monotonicMs += ms;
      for (const [wake, atMs] of sleepers) if (atMs <= monotonicMs) wake();
      // Two turns of the event loop: one for who woke, one for the commits that it asked for.
      for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
    },
    jump(ms) {
      wallMs += ms;
    },
    get sleeping() {
      return sleepers.size;
    },
  };
}
