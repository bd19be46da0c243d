// SPDX-License-Identifier: Apache-2.0
// Publishes and acknowledges until it is killed. Prints `p SEQUENCE` and `a SEQUENCE` for what was committed, and
// `t SEQUENCE` before it tries to acknowledge.
import { writeSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { openLog } from "@fairlead/fabric/log/open.ts";

/** The group that parent and child share. */
export const GROUP = {
  name: "crash",
  pattern: "crash.>",
  from: "start",
  ackTimeoutMs: 60_000,
  attemptsMax: 1000,
  inFlightMax: 100,
} as const;

/** Real time. */
export const realClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs: number, signal?: AbortSignal) =>
    wait(delayMs, undefined, { ref: false, ...(signal && { signal }) }),
};

async function writeForever(path: string, round: string): Promise<never> {
  const log = openLog({ kind: "sqlite", path }, { clock: realClock });
  const group = await log.openGroup(GROUP);
  for (let n = 0; ; n += 4) {
    const ids = [n, n + 1, n + 2, n + 3].map((each) => `${round}-${each}`);
    await Promise.all(ids.map((id, i) => publishOne(id, `k${i % 2}`)));
    for (const { sequence } of await group.take(2, new AbortController().signal)) {
      writeSync(1, `t ${sequence}\n`);
      await group.ack(sequence);
      writeSync(1, `a ${sequence}\n`);
    }
  }

  async function publishOne(id: string, key: string): Promise<void> {
    const { sequence } = await log.publish({
      subject: "crash.each",
      payload: Buffer.from(id),
      id,
      key,
      headers: {},
      atMs: Date.now(),
    });
    writeSync(1, `p ${sequence}\n`);
  }
}

const [, script, path, round] = process.argv;
if (script === import.meta.filename && path !== undefined) await writeForever(path, round ?? "");
