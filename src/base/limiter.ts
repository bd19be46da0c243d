// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "./clock.ts";

/** Runs a number of tasks at once, in the order they came. */
export interface Limiter {
  run<T>(task: () => Promise<T>): Promise<T>;
  readonly running: number;
  readonly waiting: number;
}

/** What is done about tasks that hang, so that they do not hold up the others. */
export interface SpareOptions {
  readonly clock: Clock;
  /** A task that has run this long counts as slow, milliseconds. */
  readonly slowMs: number;
  /**
   * So many that are not slow may always run, however many slow ones there are. Fewer than the width, since all tasks
   * are slow where what they ask is overloaded, and more of them at once would not help it.
   */
  readonly spare: number;
}

/** At most `widthMax` tasks run, or with `options` at most `spare` that are not slow. The queue is bounded by its callers. */
export function createLimiter(widthMax: number, options?: SpareOptions): Limiter {
  const { spare = 0 } = options ?? {};
  let running = 0;
  let slow = 0;
  const queue: (() => void)[] = [];

  /** A place goes straight to the one who waits longest: nobody can slip in between. */
  function admit(): void {
    while (queue.length > 0 && (running < widthMax || running - slow < spare)) {
      running++;
      queue.shift()?.();
    }
  }

  /** Counts a task as slow once its time is over; the returned function ends that. */
  function watch({ clock, slowMs }: SpareOptions): () => void {
    const ended = new AbortController();
    let late = false;
    clock.sleep(slowMs, ended.signal).then(
      () => {
        // Its time and its end can come in one turn.
        if (ended.signal.aborted) return;
        late = true;
        slow++;
        admit();
      },
      () => undefined,
    );
    return () => {
      ended.abort();
      if (late) slow--;
    };
  }

  return {
    async run(task) {
      const place = new Promise<void>((resolve) => queue.push(resolve));
      admit();
      await place;
      const unwatch = options === undefined ? undefined : watch(options);
      try {
        return await task();
      } finally {
        unwatch?.();
        running--;
        admit();
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
