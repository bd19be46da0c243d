// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { buildFacts, buildInstance } from "#brain/testing/builders.ts";
import type { CallOptions, InstanceStats } from "#engine/engine.ts";
import { readUsage } from "./usage-stream.ts";

const STATS: InstanceStats = {
  atMs: 0,
  cpuPercent: 1,
  memoryBytes: 1,
  memoryLimitBytes: 1,
  networkReceivedBytes: 0,
  networkSentBytes: 0,
  blockReadBytes: 0,
  blockWrittenBytes: 0,
  pids: 1,
};

/** Reads once; `late` has its first reading after so many intervals, and for ever is longer than anybody waits. */
async function readFirst(lateBy: number): Promise<{ names: readonly string[]; turns: number }> {
  let turns = 0;
  let tick = Promise.withResolvers<void>();
  async function* stats(id: string, { signal }: CallOptions = {}): AsyncGenerator<InstanceStats> {
    while (id === "late" && turns < lateBy) await tick.promise;
    yield STATS;
    if (signal?.aborted === false) await once(signal, "abort");
  }
  const instances = ["early", "late"].map((id) => buildInstance({ id, name: id }));
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    async sleep(): Promise<void> {
      turns++;
      tick.resolve();
      tick = Promise.withResolvers();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const parts = { board: { read: () => buildFacts(instances) }, engine: { stats }, clock };
  for await (const reading of readUsage(parts, undefined, new AbortController().signal))
    return { names: reading.items.map(({ instance }) => instance).sort(), turns };
  return { names: [], turns };
}

test("the first reading waits for every running instance, and not for ever", async () => {
  assert.deepEqual(await readFirst(1), { names: ["early", "late"], turns: 1 });
  assert.deepEqual(await readFirst(2), { names: ["early", "late"], turns: 2 });
  assert.deepEqual(await readFirst(Infinity), { names: ["early"], turns: 3 });
});
