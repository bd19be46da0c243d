// SPDX-License-Identifier: Apache-2.0
// Many histories on all cores, each from a seed of its own.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { History, HistoryOptions } from "./run-history.ts";

/** Nodes of every ten histories. */
const NODES = [2, 3, 2, 3, 3, 4, 2, 3, 3, 5];

/** Short and small, of many kinds: most of what breaks needs few steps and few nodes. A seed has its own. */
export function shapeHistory(seed: number): HistoryOptions {
  const isLong = seed % 50 === 0;
  return { seed, steps: isLong ? 20 : 1 + (seed % 6), nodes: NODES[seed % NODES.length] ?? 3 };
}

export interface Sum {
  readonly histories: number;
  readonly events: number;
  readonly virtualMs: number;
  /** Those that did not hold. */
  readonly broken: readonly HistoryOptions[];
}

export interface ManyOptions {
  readonly workers?: number;
  /** Ends the run after the histories that are under way. */
  readonly signal?: AbortSignal;
  /** Called for each that did not hold. */
  readonly onBroken?: (options: HistoryOptions, history: History) => void;
  /** Called with how many of them, from the first on, are done without a gap. */
  readonly onDone?: (count: number) => void;
}

/** How to run exactly that one again. */
export function describeRun({ seed, steps, nodes }: HistoryOptions): string {
  return `npm run sim -- --seed ${seed} --steps ${steps} --nodes ${nodes}`;
}

function startWorker(): Worker {
  return new Worker(new URL("./history-worker.ts", import.meta.url), {
    // Histories leave much behind that is young: fewer and larger collections.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
}

/** Runs them all, also after one that does not hold. Throws what a history threw. */
export async function runMany(
  histories: Iterable<HistoryOptions>,
  { workers = availableParallelism(), signal, onBroken, onDone }: ManyOptions = {},
): Promise<Sum> {
  const ahead = histories[Symbol.iterator]();
  const broken: HistoryOptions[] = [];
  const done = new Set<number>();
  let [begun, gapless] = [0, 0];
  let sum = { histories: 0, events: 0, virtualMs: 0 };

  function take(place: number, options: HistoryOptions, history: History): void {
    const { events, virtualMs, faults } = history;
    sum = {
      histories: sum.histories + 1,
      events: sum.events + events,
      virtualMs: sum.virtualMs + virtualMs,
    };
    if (faults.length > 0) {
      broken.push(options);
      onBroken?.(options, history);
    }
    done.add(place);
    while (done.delete(gapless)) gapless++;
    onDone?.(gapless);
  }

  async function attend(worker: Worker): Promise<void> {
    while (signal?.aborted !== true) {
      const next = ahead.next();
      if (next.done === true) return;
      const place = begun++;
      const history = await new Promise<History>((resolve, reject) => {
        worker.once("error", reject);
        worker.once("message", (message: History) => {
          worker.off("error", reject);
          resolve(message);
        });
        worker.postMessage(next.value);
      });
      take(place, next.value, history);
    }
  }

  const started = Array.from({ length: workers }, startWorker);
  try {
    await Promise.all(started.map(attend));
  } finally {
    await Promise.all(started.map((worker) => worker.terminate()));
  }
  return { ...sum, broken };
}
