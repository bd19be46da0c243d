// SPDX-License-Identifier: Apache-2.0
// R16, what can be shown without a disk that lies: one bit flipped or the tail cut, in each state file, at seeded
// positions, with and without a log left by a crash. Either opening throws store-corrupt, or every entry is as it was
// acknowledged: never a wrong or a missing one. There is no -shm file to damage (see drivers/sqlite/open-database.ts).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, open, readFile, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Random } from "#base/clock.ts";
import { isKind } from "#base/errors.ts";
import { storeErrors } from "./errors.ts";
import { openStore, quarantineStore } from "./open.ts";
import type { Snapshot } from "./store.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { put } from "./testing/rule.ts";
import { createSeededRandom } from "./testing/seeded-random.ts";

/** Damages of each sort to each file. */
const ROUNDS = Number(process.env["FAIRLEAD_DAMAGES"] ?? 24);
const CHILD = join(import.meta.dirname, "testing", "crash-child.ts");

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-store-"));
});
after(() => rm(root, { recursive: true }));

async function readAll(directory: string): Promise<Snapshot> {
  await using store = await openStore(
    { kind: "sqlite", directory },
    { clock: createManualClock() },
  );
  return await store.list("");
}

/** A store that was closed properly: no log. */
async function createClosed(directory: string): Promise<void> {
  await using store = await openStore(
    { kind: "sqlite", directory },
    { clock: createManualClock() },
  );
  const { id } = await store.grantLease(10_000);
  for (let i = 0; i < 40; i++) {
    const fill = "x".repeat((i * 401) % 9000);
    await store.transact([put(`a/${i}`, { i, fill }), put(`b/${i % 7}`, i, id)]);
  }
}

/** A store whose owner was killed: its log holds the newest commits. */
async function createCrashed(directory: string): Promise<void> {
  await createClosed(directory);
  const child = spawn(process.execPath, [CHILD, directory, "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let lines = 0;
  for await (const text of child.stdout) {
    lines += String(text).split("\n").length - 1;
    if (lines >= 30) child.kill("SIGKILL");
  }
  if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
}

/**
 * Creates a store all of whose changes were acknowledged, and returns what is in it. A kill between the write and its
 * acknowledgement leaves changes in the log that damage may rightly undo; such a store is made anew.
 */
async function createAcknowledged(
  create: (directory: string) => Promise<void>,
  directory: string,
): Promise<Snapshot> {
  for (;;) {
    await create(directory);
    const copy = join(root, "intact");
    await cp(directory, copy, { recursive: true });
    const snapshot = await readAll(copy);
    await rm(copy, { recursive: true });
    const mark = await readFile(join(directory, "store.mark"), "latin1");
    if (Number.parseInt(mark, 10) === snapshot.revision) return snapshot;
    await rm(directory, { recursive: true });
  }
}

async function flipBit(path: string, random: Random): Promise<string> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const position = Math.floor(random() * size);
    const bit = Math.floor(random() * 8);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    buffer[0] = (buffer[0] ?? 0) ^ (1 << bit);
    await file.write(buffer, 0, 1, position);
    return `bit ${bit} of byte ${position} of ${size}`;
  } finally {
    await file.close();
  }
}

async function cutTail(path: string, random: Random): Promise<string> {
  const { size } = await stat(path);
  const length = Math.floor(random() * size);
  await truncate(path, length);
  return `cut to ${length} of ${size}`;
}

/** Damages a copy; true when that was detected, false when it was harmless. */
async function damageOnce(
  pristine: string,
  file: string,
  damage: (path: string, random: Random) => Promise<string>,
  random: Random,
  expected: Snapshot,
): Promise<boolean> {
  const directory = join(root, "damaged");
  await cp(pristine, directory, { recursive: true });
  const what = await damage(join(directory, file), random);
  try {
    assert.deepEqual(await readAll(directory), expected, `${file}: ${what} was served`);
    return false;
  } catch (thrown) {
    if (thrown instanceof assert.AssertionError) throw thrown;
    // A flip in the number of the format looks like a newer one: refused as well.
    const isRefused =
      isKind(thrown, storeErrors["store-corrupt"]) || isKind(thrown, storeErrors["store-newer"]);
    assert.ok(isRefused, `${file}: ${what}: ${String(thrown)}`);
    return true;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const STATES = { closed: createClosed, crashed: createCrashed };
const DAMAGES = { "one bit flipped": flipBit, "tail cut": cutTail };

for (const [state, create] of Object.entries(STATES)) {
  describe(`damage to a ${state} store`, () => {
    for (const [damage, apply] of Object.entries(DAMAGES)) {
      test(`${damage} in each file, ${ROUNDS} times: detected or harmless`, async (context) => {
        const pristine = join(root, `${state}-${damage}`);
        const expected = await createAcknowledged(create, pristine);
        const random = createSeededRandom(16);
        for (const file of await readdir(pristine)) {
          let detected = 0;
          for (let i = 0; i < ROUNDS; i++) {
            if (await damageOnce(pristine, file, apply, random, expected)) detected++;
          }
          context.diagnostic(`${file}: ${detected} of ${ROUNDS} detected, the others harmless`);
        }
      });
    }
  });
}

describe("quarantineStore()", () => {
  test("moves a corrupt store aside and lets an empty one start", async () => {
    const directory = join(root, "quarantine");
    const options = { kind: "sqlite", directory } as const;
    const clock = createManualClock();
    await createClosed(directory);
    await truncate(join(directory, "store.db"), 0);
    await assert.rejects(openStore(options, { clock }), (thrown) =>
      isKind(thrown, storeErrors["store-corrupt"]),
    );
    const moved = quarantineStore(options, { clock });
    assert.deepEqual(
      moved.map((path) => path.replace(`${directory}/`, "")),
      ["store.db.corrupt-2026-01-01T00-00-00.000Z", "store.mark.corrupt-2026-01-01T00-00-00.000Z"],
    );
    await using store = await openStore(options, { clock });
    assert.deepEqual(await store.list(""), { revision: 0, entries: [] });
  });
});
