// SPDX-License-Identifier: Apache-2.0

/** Time and timers as an argument, so that everything above can run under a virtual clock. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970. May jump; use only for what people read and for the engine's times. */
  nowMs(): number;
  /** Monotonic time in milliseconds from an arbitrary start. Use for every interval. */
  monotonicMs(): number;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Numbers in [0, 1), as an argument. */
export type Random = () => number;
