// SPDX-License-Identifier: Apache-2.0

/** A bounded queue between producers and one consumer. */
export interface AsyncQueue<T> extends AsyncIterable<T> {
  /** Adds an item; false when the queue is full or closed and the item was dropped. */
  push(item: T): boolean;
  /** Adds an item once there is room; false when the queue was closed first. */
  put(item: T): Promise<boolean>;
  /** Ends the iteration once what is queued has been read; with `error`, by throwing it. */
  close(error?: unknown): void;
  readonly size: number;
}

/** A queue of at most `sizeMax` items; `signal` closes it. */
export function createAsyncQueue<T>(sizeMax: number, signal?: AbortSignal): AsyncQueue<T> {
  const items: T[] = [];
  const writers: (() => void)[] = [];
  let wake: (() => void) | undefined;
  let closed = false;
  let failure: { error: unknown } | undefined;
  function close(error?: unknown): void {
    closed = true;
    if (error !== undefined) failure = { error };
    wake?.();
    for (const writer of writers.splice(0)) writer();
  }
  async function* iterate(): AsyncGenerator<T> {
    while (true) {
      const item = items.shift();
      if (item !== undefined) {
        writers.shift()?.();
        yield item;
      } else if (failure !== undefined) throw failure.error;
      else if (closed) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    }
  }
  signal?.addEventListener("abort", () => close(), { once: true });
  if (signal?.aborted === true) close();
  function push(item: T): boolean {
    if (closed || items.length >= sizeMax) return false;
    items.push(item);
    wake?.();
    return true;
  }
  return {
    push,
    async put(item) {
      while (!closed && items.length >= sizeMax)
        await new Promise<void>((resolve) => writers.push(resolve));
      return push(item);
    },
    close,
    get size() {
      return items.length;
    },
    [Symbol.asyncIterator]: iterate,
  };
}
