// SPDX-License-Identifier: Apache-2.0
// Writes until it is killed. Each transaction n puts the same n under KEYS keys of its own choice and under `last`;
// prints `revision n` for each one that was acknowledged.
import { writeSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { openStore } from "#store/open.ts";
import { put } from "./rule.ts";

/** Keys that always change together: a difference between them is a partial transaction. */
export const KEYS = 5;

async function writeForever(directory: string, from: number): Promise<never> {
  const clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (delayMs: number, signal?: AbortSignal) =>
      wait(delayMs, undefined, signal && { signal }),
  };
  const store = await openStore({ kind: "sqlite", directory }, { clock });
  writeSync(1, "ready\n");
  for (let n = from; ; n += 3) {
    await Promise.all([n, n + 1, n + 2].map((each) => writeOnce(each)));
  }

  async function writeOnce(n: number): Promise<void> {
    const value = { n, fill: "x".repeat((n * 37) % 3000) };
    const keys = Array.from({ length: KEYS }, (_, i) => put(`together/${i}`, value));
    const revision = await store.transact([...keys, put(`each/${n % 50}`, value)]);
    writeSync(1, `${revision} ${n}\n`);
  }
}

const [, script, directory, from] = process.argv;
if (script === import.meta.filename && directory !== undefined) {
  await writeForever(directory, Number(from));
}
