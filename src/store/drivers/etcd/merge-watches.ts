// SPDX-License-Identifier: Apache-2.0
import type { StoreChange } from "#store/store.ts";

type Changes = readonly StoreChange[];
type Watch = AsyncGenerator<Changes, void, undefined>;

/**
 * Several watches as one, each in its own order. Ends with the first that ends, and rejects as it does; the others end
 * then. Nothing is taken from a watch before what it said last was taken from here.
 */
export async function* mergeWatches<T>(
  sources: readonly T[],
  follow: (source: T, signal: AbortSignal) => Watch,
  signal: AbortSignal,
): Watch {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const watches = sources.map((source) => follow(source, either));
  const coming = new Map<Watch, Promise<void>>();
  /** What has come, in its order. No race of promises: one that stays open for days would keep all that won against it. */
  const come: { readonly watch: Watch; readonly step: ReturnType<Watch["next"]> }[] = [];
  let ring = (): void => undefined;
  function draw(watch: Watch): void {
    const step = watch.next();
    const arrive = (): void => {
      come.push({ watch, step });
      ring();
    };
    coming.set(watch, step.then(arrive, arrive));
  }
  watches.forEach(draw);
  try {
    for (;;) {
      const first = come.shift();
      if (first === undefined) {
        await new Promise<void>((resolve) => (ring = resolve));
        continue;
      }
      const step = await first.step;
      if (step.done === true) return;
      yield step.value;
      draw(first.watch);
    }
  } finally {
    ending.abort(new Error("another part of the watch has ended"));
    await Promise.allSettled(coming.values());
  }
}
