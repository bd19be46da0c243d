// SPDX-License-Identifier: Apache-2.0
// What goes on without ever waiting keeps the loop from all else: timers, keepalives, other calls.

/** How long that may last, milliseconds. */
export const SLICE_MS = 5;

/** The time that some work has before it lets the loop turn. */
export class Slice {
  #endMs: number = performance.now() + SLICE_MS;

  /** Undefined while there is time; else a promise that resolves once the loop has turned. */
  pause(): Promise<void> | undefined {
    if (performance.now() < this.#endMs) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#endMs = performance.now() + SLICE_MS;
        resolve();
      });
    });
  }
}
