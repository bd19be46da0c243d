// SPDX-License-Identifier: Apache-2.0
// R16 for messages: the log as it would be, had the process or the machine died after each step that it did to its files.
// FAIRLEAD_POINTS sets how many points are looked at (30 by default, evenly spread; 0 for all), FAIRLEAD_LOGGED how many
// messages are published each time (10), FAIRLEAD_SEED the seed of what a power cut keeps.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { GROUP, realClock } from "@fairlead/fabric/log/testing/crash-child.ts";
import { recordWrites } from "#lab/record-writes.ts";
import { createReplay, visitPoints, writeImage } from "#lab/replay-writes.ts";

const POINTS = Number(process.env["FAIRLEAD_POINTS"] ?? 30);
const MESSAGES = Number(process.env["FAIRLEAD_LOGGED"] ?? 10);
const SEED = Number(process.env["FAIRLEAD_SEED"] ?? 16);
const CHILD = fileURLToPath(import.meta.resolve("@fairlead/fabric/log/testing/steps-child.ts"));

/** The numbers that were said after a letter. */
function list(said: string, letter: string): readonly number[] {
  return [...said.matchAll(/^(\w) (\d+)$/gm)].flatMap(([, is, n]) =>
    is === letter ? [Number(n)] : [],
  );
}

/**
 * Opens the log and fails unless every message is there that was published, and none that was acknowledged but for those
 * that a loss of power brought back, which the log allows: a message is delivered at least once.
 */
async function checkLog(directory: string, said: string, mayReturn: boolean): Promise<void> {
  await using log = openLog(
    { kind: "sqlite", path: join(directory, "log.db") },
    { clock: realClock },
  );
  const group = await log.openGroup(GROUP);
  const waiting = (): number => log.stats().groups.reduce((sum, each) => sum + each.waiting, 0);
  const sequences: number[] = [];
  while (waiting() > 0)
    for (const { sequence } of await group.take(100, new AbortController().signal)) {
      sequences.push(sequence);
      await group.ack(sequence);
    }
  const acknowledged = mayReturn ? [] : list(said, "a");
  assert.deepEqual(
    sequences.filter((sequence) => acknowledged.includes(sequence)),
    [],
  );
  const known = new Set([...sequences, ...list(said, "t")]);
  assert.deepEqual(
    list(said, "p").filter((sequence) => !known.has(sequence)),
    [],
  );
}

/** 0 to 1 from a seed: what a power cut keeps is the same in every run. */
function createChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("R16: a process or a machine that dies after any step loses no acknowledged message", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "fairlead-log-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const recorded = join(root, "recorded");
  const steps = await recordWrites([process.execPath, CHILD, recorded, String(MESSAGES)], recorded);
  const random = createChance(SEED);
  const directory = join(root, "image");
  const looked = await visitPoints(steps, POINTS, async ({ replay, said, where }) => {
    const images = {
      "process killed": replay.kill(),
      "nothing kept that was not synced": replay.losePower(() => false),
      "some of it kept": replay.losePower(() => random() < 0.5),
    };
    for (const [what, image] of Object.entries(images)) {
      writeImage(image, directory);
      await checkLog(directory, said, what !== "process killed").catch((error: unknown) => {
        throw new Error(`${where}: ${what} (seed ${SEED})`, { cause: error });
      });
    }
  });
  t.diagnostic(`${looked} of ${steps.length} points, ${3 * looked} disks, seed ${SEED}`);

  const replay = createReplay();
  for (const step of steps) if (step.kind !== "sync" && step.kind !== "unlink") replay.step(step);
  const all = steps.map((step) => (step.kind === "say" ? step.text : "")).join("");
  assert.equal(list(all, "p").length, 2 * MESSAGES);
  writeImage(
    replay.losePower(() => false),
    directory,
  );
  await assert.rejects(checkLog(directory, all, true), "a log that never syncs would be seen");
});
