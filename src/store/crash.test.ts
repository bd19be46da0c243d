// SPDX-License-Identifier: Apache-2.0
// R15: kill -9 while transactions are written, at seeded moments. FAIRLEAD_CRASHES sets how many (15 by default; write-points.test.ts dies at each step).
// It shows that the death of the process loses nothing; what a power cut does to unsynced pages it cannot show.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { openStore } from "./open.ts";
import { KEYS } from "./testing/crash-child.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { createSeededRandom } from "./testing/seeded-random.ts";

const CRASHES = Number(process.env["FAIRLEAD_CRASHES"] ?? 15);
const CHILD = join(import.meta.dirname, "testing", "crash-child.ts");

interface Acknowledged {
  readonly revision: number;
  readonly n: number;
}

/** Runs the child, kills it `delayMs` after it is ready, and returns all that it was acknowledged. */
async function crashOnce(
  directory: string,
  from: number,
  delayMs: number,
): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [CHILD, directory, String(from)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8");
  try {
    for await (const text of child.stdout) {
      const isFirst = output === "";
      output += String(text);
      if (isFirst) void wait(delayMs).then(() => child.kill("SIGKILL"));
    }
  } finally {
    child.kill("SIGKILL");
    if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
  }
  assert.equal(child.signalCode, "SIGKILL", output);
  const lines = output.split("\n").slice(1, -1);
  return lines.map((line) => {
    const [revision, n] = line.split(" ");
    return { revision: Number(revision), n: Number(n) };
  });
}

/** Opens what the crash left and checks it; returns the number that the next child starts with. */
async function checkAfterCrash(
  directory: string,
  acknowledged: readonly Acknowledged[],
): Promise<number> {
  await using store = await openStore(
    { kind: "sqlite", directory },
    { clock: createManualClock() },
  );
  const { revision, entries } = await store.list("together/");
  const last = acknowledged.at(-1);
  const together = entries.map((entry) => readNumber(entry.value));
  if (last === undefined) return (together[0] ?? -1) + 1;
  assert.ok(revision >= last.revision, `revision ${revision} after ${last.revision}`);
  assert.equal(entries.length, KEYS);
  assert.equal(new Set(together).size, 1, `partial: ${together.join(" ")}`);
  assert.ok((together[0] ?? -1) >= last.n);
  for (const { n } of acknowledged.slice(-50)) {
    const entry = await store.get(`each/${n % 50}`);
    assert.ok(readNumber(entry?.value) >= n, `transaction ${n} is lost`);
  }
  return (together[0] ?? -1) + 1;
}

function readNumber(value: unknown): number {
  return typeof value === "object" && value !== null && "n" in value ? Number(value.n) : -1;
}

describe("kill -9 while writing", () => {
  test(`${CRASHES} times: opens clean, 0 acknowledged lost, 0 partial`, async (context) => {
    const directory = await mkdtemp(join(tmpdir(), "fairlead-store-"));
    const random = createSeededRandom(15);
    let total = 0;
    try {
      for (let i = 0, from = 0; i < CRASHES; i++) {
        const acknowledged = await crashOnce(directory, from, Math.floor(random() * 120));
        from = await checkAfterCrash(directory, acknowledged);
        total += acknowledged.length;
      }
    } finally {
      await rm(directory, { recursive: true });
    }
    context.diagnostic(`${total} transactions acknowledged, 0 lost`);
    assert.ok(total > CRASHES);
  });
});
