// SPDX-License-Identifier: Apache-2.0
// R15 and R16 at every point: what a store does to its files is recorded once, and then its directory is made as it would
// be, had the process (R15) or the machine (R16: what was not synced is gone, whole or in parts) died after each step.
// FAIRLEAD_POINTS sets how many points are looked at (60 by default, evenly spread; 0 for all), FAIRLEAD_TRANSACTIONS how
// many are written each time (6), FAIRLEAD_POWER_CUTS how often chance is asked at each point (2), FAIRLEAD_SEED its seed,
// FAIRLEAD_FAILURES how many calls fail, one in each run (4; 0 for all).
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { failCall, recordWrites, type FileStep } from "#lab/record-writes.ts";
import {
  createReplay,
  visitPoints,
  writeImage,
  type DiskImage,
  type Replay,
} from "#lab/replay-writes.ts";
import { openStore } from "./open.ts";
import { KEYS } from "./testing/crash-child.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { createSeededRandom } from "./testing/seeded-random.ts";

const read = (name: string, usual: number): number => Number(process.env[name] ?? usual);
const POINTS = read("FAIRLEAD_POINTS", 60);
const TRANSACTIONS = read("FAIRLEAD_TRANSACTIONS", 6);
const POWER_CUTS = read("FAIRLEAD_POWER_CUTS", 2);
const FAILURES = read("FAIRLEAD_FAILURES", 4);
const SEED = read("FAIRLEAD_SEED", 16);
const CHILD = fileURLToPath(import.meta.resolve("#store/testing/steps-child.ts"));
const EACH = 50;

let root = "";
let steps: readonly FileStep[] = [];
before(async () => {
  root = mkdtempSync(join(tmpdir(), "fairlead-points-"));
  const directory = join(root, "recorded");
  steps = await recordWrites([process.execPath, CHILD, directory, String(TRANSACTIONS)], directory);
});
after(() => rmSync(root, { recursive: true, force: true }));

function numberOf(value: unknown): number {
  return typeof value === "object" && value !== null && "n" in value ? Number(value.n) : -1;
}

/** What was said to be stored, oldest first. */
function readAcknowledged(said: string): readonly (readonly [revision: number, n: number])[] {
  return [...said.matchAll(/^(\d+) (\d+)$/gm)].map(([, revision, n]) => [
    Number(revision),
    Number(n),
  ]);
}

/** Opens the directory and fails unless everything acknowledged is there, and nothing in part. */
async function checkStore(directory: string, said: string, where: string): Promise<void> {
  await using store = await openStore(
    { kind: "sqlite", directory },
    { clock: createManualClock() },
  );
  const acknowledged = readAcknowledged(said);
  const { revision, entries } = await store.list("together/");
  const [revisionLast, last] = acknowledged.at(-1) ?? [0, -1];
  assert.ok(revision >= revisionLast, `${where}: revision ${revision} after ${revisionLast}`);
  const numbers = new Set(entries.map(({ value }) => numberOf(value)));
  assert.ok(entries.length === 0 || entries.length === KEYS, `${where}: ${entries.length} keys`);
  assert.ok(numbers.size <= 1, `${where}: partial, ${[...numbers].join(" ")}`);
  assert.ok(([...numbers][0] ?? -1) >= last, `${where}: transaction ${last} is lost`);
  for (const [, n] of acknowledged.slice(-EACH)) {
    const entry = await store.get(`each/${n % EACH}`);
    assert.ok(numberOf(entry?.value) >= n, `${where}: transaction ${n} is lost`);
  }
}

/** Looks at the disks that each point may leave; at how many points. */
async function checkPoints(imagesAt: (replay: Replay) => Iterable<DiskImage>): Promise<number> {
  const directory = join(root, "image");
  return await visitPoints(steps, POINTS, async ({ replay, said, where }) => {
    for (const image of imagesAt(replay)) {
      writeImage(image, directory);
      await checkStore(directory, said, where).catch((error: unknown) => {
        throw new Error(`${where} (seed ${SEED})`, { cause: error });
      });
    }
  });
}

describe("a store that died at a step", () => {
  test("R15: of its process: opens clean, 0 acknowledged lost, 0 partial", async (t) => {
    const looked = await checkPoints((replay) => [replay.kill()]);
    const said = steps.map((step) => (step.kind === "say" ? step.text : "")).join("");
    assert.equal(readAcknowledged(said).length, 2 * TRANSACTIONS);
    t.diagnostic(`${looked} of ${steps.length} points, ${2 * TRANSACTIONS} transactions`);
  });

  test("R16: of its machine: what was not synced is gone, or a part of it, and nothing acknowledged is", async (t) => {
    const random = createSeededRandom(SEED);
    let images = 0;
    const looked = await checkPoints(function* (replay) {
      yield replay.losePower(() => false);
      for (let cut = 0; cut < POWER_CUTS; cut++) yield replay.losePower(() => random() < 0.5);
      images += 1 + POWER_CUTS;
    });
    t.diagnostic(`${looked} of ${steps.length} points, ${images} disks, seed ${SEED}`);
  });

  test("the replay would show a store that does not sync", async () => {
    const lazy = steps.filter(({ kind }) => kind !== "sync" && kind !== "unlink");
    const replay = createReplay();
    for (const step of lazy) replay.step(step);
    const directory = join(root, "lazy");
    writeImage(
      replay.losePower(() => false),
      directory,
    );
    const said = lazy.map((step) => (step.kind === "say" ? step.text : "")).join("");
    await assert.rejects(checkStore(directory, said, "in the end"), /is lost|revision/);
  });
});

describe("a store whose disk refuses one call", () => {
  for (const [calls, error] of [
    ["pwrite64", "EIO"],
    ["pwrite64", "ENOSPC"],
    ["fdatasync,fsync", "EIO"],
  ] as const)
    test(`R15: ${calls} fails with ${error}: what was acknowledged is there, and nothing in part`, async (t) => {
      let nth = 1;
      let failed = 0;
      // The whole row tries each call until there is no nth any more; usually a few are tried, further and further apart.
      for (; FAILURES === 0 || failed < FAILURES; nth += FAILURES === 0 ? 1 : 1 + failed * 2) {
        const directory = join(root, `refused-${calls}-${error}-${nth}`);
        const files = ["store.db", "store.db-wal", "store.db-journal", "store.mark"];
        const { said, happened } = await failCall(
          [process.execPath, CHILD, directory, String(TRANSACTIONS)],
          files.map((file) => join(directory, file)),
          { calls, nth, error },
        );
        if (!happened) break;
        failed++;
        await checkStore(directory, said, `${calls} ${nth} failed with ${error}`);
        rmSync(directory, { recursive: true });
      }
      assert.ok(failed > 3, `${failed} calls failed`);
      t.diagnostic(`${failed} calls failed, one in each run`);
    });
});
