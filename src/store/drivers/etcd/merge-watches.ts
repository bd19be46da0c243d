// SPDX-License-Identifier: Apache-2.0
import type { StoreChange } from "#store/store.ts";

type Changes = readonly StoreChange[];

/**
 * Several watches as one, each in its own order. Ends with the first that ends, and rejects as it does; the others end
 * then. Nothing is taken from a watch before what it said last was taken from here.
 */
export async function* mergeWatches<T>(
  sources: readonly T[],
  follow: (source: T, signal: AbortSignal) => AsyncGenerator<Changes, void, undefined>,
  signal: AbortSignal,
): AsyncGenerator<Changes, void, undefined> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const watches = sources.map((source) => follow(source, either));
  const next = async (watch: (typeof watches)[number]) => ({ watch, step: await watch.next() });
  const coming = new Map(watches.map((watch) => [watch, next(watch)]));
  try {
    for (;;) {
      const { watch, step } = await Promise.race(coming.values());
      if (step.done === true) return;
      yield step.value;
      coming.set(watch, next(watch));
    }
  } finally {
    ending.abort(new Error("another part of the watch has ended"));
    await Promise.allSettled(coming.values());
  }
}
