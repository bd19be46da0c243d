// SPDX-License-Identifier: Apache-2.0
// One life of a node's process: what it waits for happens to it only while it runs.
import type { Clock } from "#base/clock.ts";
import type { Timeline } from "./timeline.ts";

const BEGAN_MS = Date.UTC(2026, 0, 1);

/** From a start to a crash. */
export interface Life {
  readonly clock: Clock;
  /** Until when it stands still, in the world's time; what comes meanwhile waits. */
  pausedUntilMs: number;
  /** How far its wall clock is ahead of the world. */
  skewMs: number;
  readonly dead: boolean;
  /** Runs `act` after the delay: later when it is paused then, never when it is dead. */
  after(delayMs: number, act: () => void): void;
  /** Runs what nobody awaits at once: later when it is paused, never when it is dead. */
  now(act: () => void): void;
  /** Likewise after a delay. */
  afterQuietly(delayMs: number, act: () => void): void;
  /** Ends it without a word: what it waited for never comes. */
  kill(): void;
}

const stopsBySignal = new WeakMap<AbortSignal, Set<() => void>>();

/** What is called when it aborts, behind one listener: adding one for each sleep costs more than the sleep. */
function listStops(signal: AbortSignal): Set<() => void> {
  const known = stopsBySignal.get(signal);
  if (known !== undefined) return known;
  const stops = new Set<() => void>();
  stopsBySignal.set(signal, stops);
  signal.addEventListener("abort", () => stops.forEach((stop) => stop()), { once: true });
  return stops;
}

/** Begins a life. `startMs`: what its monotonic clock shows at the world's time 0. */
export function beginLife(timeline: Timeline, startMs: number, skewMs: number): Life {
  let dead = false;
  const run = (act: () => void): void => {
    if (dead) return;
    if (life.pausedUntilMs > timeline.nowMs) timeline.at(life.pausedUntilMs, () => run(act));
    else act();
  };
  const life: Life = {
    pausedUntilMs: 0,
    skewMs,
    get dead() {
      return dead;
    },
    now: run,
    afterQuietly: (delayMs, act) => timeline.atQuietly(timeline.nowMs + delayMs, () => run(act)),
    after: (delayMs, act) => timeline.at(timeline.nowMs + delayMs, () => run(act)),
    kill() {
      dead = true;
    },
    clock: {
      nowMs: () => BEGAN_MS + timeline.nowMs + life.skewMs,
      monotonicMs: () => startMs + timeline.nowMs,
      sleep(delayMs, signal) {
        return new Promise((resolve, reject) => {
          if (signal === undefined) {
            life.after(delayMs, resolve);
            return;
          }
          if (signal.aborted) {
            reject(signal.reason);
            return;
          }
          const stop = (): void => reject(signal.reason);
          const stops = listStops(signal);
          stops.add(stop);
          life.after(delayMs, () => {
            stops.delete(stop);
            resolve();
          });
        });
      },
    },
  };
  return life;
}
