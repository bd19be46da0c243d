// SPDX-License-Identifier: Apache-2.0

/** Runs at most `widthMax` tasks at once, in the order they came. */
export interface Limiter {
  run<T>(task: () => Promise<T>): Promise<T>;
  readonly running: number;
  readonly waiting: number;
}

/** A limiter whose queue is bounded by its callers: each holds a promise. */
export function createLimiter(widthMax: number): Limiter {
  let running = 0;
  const queue: (() => void)[] = [];
  /** The place goes straight to the one who waits longest: nobody can slip in between. */
  function release(): void {
    const next = queue.shift();
    if (next === undefined) running--;
    else next();
  }
  return {
    async run(task) {
      if (running >= widthMax) await new Promise<void>((resolve) => queue.push(resolve));
      else running++;
      try {
        return await task();
      } finally {
        release();
      }
    },
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
  };
}
