// SPDX-License-Identifier: Apache-2.0
// Times of an engine's `start` events: asking over and over would take from those who are measured.
import type { EngineEvent, EngineReader } from "#engine/engine.ts";
import { until } from "#lab/rig.ts";

export interface StartTimes extends AsyncDisposable {
  /** Wall clock in milliseconds of the first start after `afterMs` that `isIt` accepts; throws after a minute. */
  next(afterMs: number, isIt: (event: EngineEvent) => boolean): Promise<number>;
}

const PATIENCE_MS = 60_000;

/** Watches until disposed of. */
export function watchStarts(engine: Pick<EngineReader, "watch">): StartTimes {
  const stop = new AbortController();
  const starts: EngineEvent[] = [];
  const watching = (async () => {
    for await (const signal of engine.watch({ signal: stop.signal })) {
      if (signal.kind === "event" && signal.event.action === "start") starts.push(signal.event);
    }
  })();
  const timeOf = (event: EngineEvent): number => Number(event.timeNs / 1_000n) / 1_000;
  return {
    async next(afterMs, isIt) {
      let found: EngineEvent | undefined;
      await until("started again", PATIENCE_MS, () => {
        found = starts.find((event) => timeOf(event) > afterMs && isIt(event));
        return found !== undefined;
      });
      return found === undefined ? Number.NaN : timeOf(found);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
    },
  };
}
