// SPDX-License-Identifier: Apache-2.0
// What running instances use, read again and again.
import type { Clock } from "#base/clock.ts";
import type { EngineReader } from "#engine/engine.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { UsageAnswer, UsageEntry } from "./operations.ts";

const INTERVAL_MS = 1_000;
/** So many intervals the first reading waits for instances that have not been measured yet. */
const WAITS_MAX = 3;

export interface UsageParts {
  readonly board: Pick<FactsBoard, "read">;
  readonly engine: Pick<EngineReader, "stats">;
  readonly clock: Clock;
}

/** Readings of all running instances, or those of one scope, the busiest first, until the signal aborts. */
export async function* readUsage(
  { board, engine, clock }: UsageParts,
  scope: string | undefined,
  caller: AbortSignal,
): AsyncGenerator<UsageAnswer> {
  const ended = new AbortController();
  const signal = AbortSignal.any([caller, ended.signal]);
  const latest = new Map<string, UsageEntry>();
  const measured = new Set<string>();
  const wanted = (i: InstanceFact): boolean =>
    i.state === "running" && (scope === undefined || i.scope === scope);

  async function measure(instance: InstanceFact): Promise<void> {
    const { id, scope: of, service, name } = instance;
    try {
      for await (const { atMs: _at, ...stats } of engine.stats(id, { signal }))
        latest.set(id, { scope: of, service, instance: name, ...stats });
    } catch {
      // A container that ends while it is measured is no error.
    } finally {
      latest.delete(id);
      measured.delete(id);
    }
  }

  let waits = 0;
  try {
    while (!signal.aborted) {
      for (const instance of board.read().instances.filter(wanted)) {
        if (measured.has(instance.id)) continue;
        measured.add(instance.id);
        void measure(instance);
      }
      await clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
      const isWhole = [...measured].every((id) => latest.has(id));
      if (!isWhole && ++waits < WAITS_MAX) continue;
      waits = WAITS_MAX;
      const items = [...latest.values()].sort((a, b) => b.cpuPercent - a.cpuPercent);
      if (!signal.aborted) yield { items };
    }
  } finally {
    ended.abort();
  }
}
