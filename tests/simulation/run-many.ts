// SPDX-License-Identifier: Apache-2.0
// Many histories on all cores, each from a seed of its own.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { History, HistoryOptions } from "./run-history.ts";

/** Short and small, of many kinds: most faults need few steps and few nodes. A seed has its own. */
export function shapeHistory(seed: number): HistoryOptions {
  return { seed, steps: 1 + (seed % 9), nodes: 2 + (seed % 4) };
}

export interface Sum {
  readonly histories: number;
  readonly events: number;
  readonly virtualMs: number;
  /** The first that did not hold, if one did not. */
  readonly broken: { readonly options: HistoryOptions; readonly history: History } | undefined;
}

/** How to run exactly that one again. */
export function describeRun({ seed, steps, nodes }: HistoryOptions): string {
  return `npm run sim -- --seed ${seed} --steps ${steps} --nodes ${nodes}`;
}

/** Runs them until one does not hold, or the signal aborts. Throws what a history threw. */
export async function runMany(
  histories: Iterable<HistoryOptions>,
  { signal, cores = availableParallelism() }: { signal?: AbortSignal; cores?: number } = {},
): Promise<Sum> {
  const ahead = histories[Symbol.iterator]();
  let sum: Sum = { histories: 0, events: 0, virtualMs: 0, broken: undefined };

  function attend(worker: Worker): Promise<void> {
    return new Promise((resolve, reject) => {
      let options: HistoryOptions | undefined;
      const next = (): void => {
        const stop = sum.broken !== undefined || signal?.aborted === true;
        const one = stop ? undefined : ahead.next();
        options = one?.done === true ? undefined : one?.value;
        if (options === undefined) resolve();
        else worker.postMessage(options);
      };
      worker.on("error", reject);
      worker.on("message", (history: History) => {
        const broken =
          options !== undefined && history.faults.length > 0 ? { options, history } : undefined;
        sum = {
          histories: sum.histories + 1,
          events: sum.events + history.events,
          virtualMs: sum.virtualMs + history.virtualMs,
          broken: sum.broken ?? broken,
        };
        next();
      });
      next();
    });
  }

  const workers = Array.from(
    { length: cores },
    () => new Worker(new URL("./history-worker.ts", import.meta.url)),
  );
  try {
    await Promise.all(workers.map(attend));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return sum;
}
