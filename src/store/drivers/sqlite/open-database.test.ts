// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FairleadError, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { put } from "#store/testing/rule.ts";
import { openSqliteStore } from "./driver.ts";

const CHILD = fileURLToPath(import.meta.resolve("#store/testing/crash-child.ts"));
const clock = createManualClock();

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-store-"));
});
after(() => rm(root, { recursive: true }));

function namesProcess(pid: number | undefined): (thrown: unknown) => boolean {
  return (thrown) =>
    isKind(thrown, storeErrors["store-locked"]) &&
    thrown.facts["pid"] === pid &&
    thrown.message.includes(String(pid));
}

describe("openSqliteStore()", () => {
  test("keeps its files to their owner", async () => {
    const directory = join(root, "deep", "modes");
    await using store = await openSqliteStore({ directory }, { clock });
    await store.transact([put("a", 1)]);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    const names = await readdir(directory);
    assert.deepEqual(names.toSorted(), ["store.db", "store.db-wal", "store.mark", "store.pid"]);
    for (const name of names) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    }
  });
  test("refuses a directory that another process owns, naming it, until that is dead", async () => {
    const directory = join(root, "owned");
    const child = spawn(process.execPath, [CHILD, directory, "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      await assert.rejects(openSqliteStore({ directory }, { clock }), namesProcess(child.pid));
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await using store = await openSqliteStore({ directory }, { clock });
    assert.equal(store.kind, "sqlite");
  });
  test("refuses a directory that this process has open, and leaves the first one locked", async () => {
    const directory = join(root, "twice");
    await using store = await openSqliteStore({ directory }, { clock });
    for (let i = 0; i < 2; i++) {
      await assert.rejects(openSqliteStore({ directory }, { clock }), namesProcess(process.pid));
    }
    await store.transact([put("a", 1)]);
  });
  test("refuses the format of a newer version", async () => {
    const directory = join(root, "newer");
    await (await openSqliteStore({ directory }, { clock }))[Symbol.asyncDispose]();
    const db = new DatabaseSync(join(directory, "store.db"));
    db.exec("PRAGMA user_version = 99");
    db.close();
    await assert.rejects(openSqliteStore({ directory }, { clock }), (thrown) =>
      isKind(thrown, storeErrors["store-newer"]),
    );
  });
  test("an unusable directory is store-unavailable", async () => {
    await assert.rejects(openSqliteStore({ directory: "/dev/null/x" }, { clock }), (thrown) =>
      isKind(thrown, storeErrors["store-unavailable"]),
    );
  });
  test("a row changed behind its back is detected on opening", async () => {
    const statements = [
      "UPDATE entries SET value = '2' WHERE key = 'a'",
      "DELETE FROM entries WHERE key = 'a'",
      "UPDATE head SET revision = 1",
      "DELETE FROM head",
      "DROP INDEX entries_by_lease",
    ];
    for (const [i, sql] of statements.entries()) {
      const directory = join(root, `changed-${i}`);
      const store = await openSqliteStore({ directory }, { clock });
      await store.transact([put("a", 1)]);
      await store.transact([put("b", 1)]);
      await store[Symbol.asyncDispose]();
      const db = new DatabaseSync(join(directory, "store.db"));
      db.exec(sql);
      db.close();
      await assert.rejects(
        openSqliteStore({ directory }, { clock }),
        (thrown) => thrown instanceof FairleadError && isKind(thrown, storeErrors["store-corrupt"]),
        sql,
      );
    }
  });
});
