// SPDX-License-Identifier: Apache-2.0
// `steps-child.ts DIRECTORY COUNT`: publishes COUNT messages and acknowledges the first half of them, opens the log again and
// does so once more. Prints `p SEQUENCE` and `a SEQUENCE` for what was committed, `t SEQUENCE` before it acknowledges.
import { mkdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { GROUP, realClock } from "./crash-child.ts";

async function writeSteps(directory: string, count: number): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (let round = 0; round < 2; round++) {
    await using log = openLog(
      { kind: "sqlite", path: join(directory, "log.db") },
      { clock: realClock },
    );
    const group = await log.openGroup(GROUP);
    for (let n = 0; n < count; n++) {
      const id = `${round}-${n}`;
      const payload = Buffer.alloc((n * 937) % 3_000, id);
      const message = { subject: "crash.each", payload, id, key: `k${n % 2}`, headers: {} };
      const { sequence } = await log.publish({ ...message, atMs: Date.now() });
      writeSync(1, `p ${sequence}\n`);
    }
    for (const { sequence } of await group.take(count / 2, new AbortController().signal)) {
      writeSync(1, `t ${sequence}\n`);
      await group.ack(sequence);
      writeSync(1, `a ${sequence}\n`);
    }
  }
}

const [, script, directory, count] = process.argv;
if (script === import.meta.filename && directory !== undefined)
  await writeSteps(directory, Number(count));
