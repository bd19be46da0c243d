// SPDX-License-Identifier: Apache-2.0
// `steps-child.ts DIRECTORY COUNT`: opens a store, writes COUNT transactions, closes it, and does so twice. Transaction n puts
// the same n under KEYS keys and under one that changes seldom. Prints `revision n` for each that was acknowledged and
// `refused n` for each that was not.
import { writeSync } from "node:fs";
import { openStore } from "#store/open.ts";
import { KEYS } from "./crash-child.ts";
import { put } from "./rule.ts";
import { systemClock } from "./system-clock.ts";

async function writeSteps(directory: string, count: number): Promise<void> {
  for (let n = 0; n < 2 * count;) {
    await using store = await openStore({ kind: "sqlite", directory }, { clock: systemClock });
    for (const end = n < count ? count : 2 * count; n < end; n++) {
      const value = { n, fill: "x".repeat((n * 937) % 3_000) };
      const keys = Array.from({ length: KEYS }, (_, i) => put(`together/${i}`, value));
      try {
        const revision = await store.transact([...keys, put(`each/${n % 50}`, value)]);
        writeSync(1, `${revision} ${n}\n`);
      } catch {
        writeSync(1, `refused ${n}\n`);
      }
    }
  }
}

const [, script, directory, count] = process.argv;
if (script === import.meta.filename && directory !== undefined)
  await writeSteps(directory, Number(count));
