// SPDX-License-Identifier: Apache-2.0

/** A bounded queue between a producer that must not wait and one consumer. */
export interface AsyncQueue<T> extends AsyncIterable<T> {
  /** Adds an item; false when the queue is full or closed and the item was dropped. */
  push(item: T): boolean;
  /** Ends the iteration once what is queued has been read; with `error`, by throwing it. */
  close(error?: unknown): void;
  readonly size: number;
}

/** A queue of at most `sizeMax` items; `signal` closes it. */
export function createAsyncQueue<T>(sizeMax: number, signal?: AbortSignal): AsyncQueue<T> {
  const items: T[] = [];
  let wake: (() => void) | undefined;
  let closed = false;
  let failure: { error: unknown } | undefined;
  function close(error?: unknown): void {
    closed = true;
    if (error !== undefined) failure = { error };
    wake?.();
  }
  async function* iterate(): AsyncGenerator<T> {
    while (true) {
      const item = items.shift();
      if (item !== undefined) yield item;
      else if (failure !== undefined) throw failure.error;
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
  return {
    push(item) {
      if (closed || items.length >= sizeMax) return false;
      items.push(item);
      wake?.();
      return true;
    },
    close,
    get size() {
      return items.length;
    },
    [Symbol.asyncIterator]: iterate,
  };
}
