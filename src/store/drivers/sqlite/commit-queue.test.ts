// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { baseErrors, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createCommitQueue } from "./commit-queue.ts";
import type { CommitQueue } from "./commit-queue.ts";
import { convertError } from "./convert-error.ts";

interface Bench {
  readonly queue: CommitQueue;
  readonly commits: () => number;
  readonly insert: (n: number) => number;
  readonly listRows: () => readonly unknown[];
}

/** A queue over a database in memory that holds at most some 32 pages. */
function createBench(): Bench {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, fill BLOB); PRAGMA max_page_count = 32");
  const insert = db.prepare("INSERT INTO t VALUES (?, zeroblob(?))");
  let commits = 0;
  const queue = createCommitQueue({
    begin: () => db.exec("BEGIN"),
    commit() {
      db.exec("COMMIT");
      commits++;
    },
    rollback() {
      if (db.isTransaction) db.exec("ROLLBACK");
    },
    rest() {},
    convertError: (thrown) => convertError(thrown, "memory"),
  });
  return {
    queue,
    commits: () => commits,
    insert(n) {
      insert.run(n, n);
      return n;
    },
    listRows: () =>
      db
        .prepare("SELECT n FROM t ORDER BY n")
        .all()
        .map((row) => row["n"]),
  };
}

describe("createCommitQueue()", () => {
  test("commits what is asked for in one turn together, in order", async () => {
    const { queue, commits, insert, listRows } = createBench();
    const results = await Promise.all([1, 2, 3].map((n) => queue.run(() => insert(n))));
    assert.deepEqual(results, [1, 2, 3]);
    assert.deepEqual(listRows(), [1, 2, 3]);
    assert.equal(commits(), 1);
  });
  test("a request that fails does not fail its neighbours", async () => {
    const { queue, insert, listRows } = createBench();
    const results = await Promise.allSettled(
      [1, 10_000_000, 3].map((n) => queue.run(() => insert(n))),
    );
    assert.deepEqual(
      results.map((r) => r.status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    const [, failed] = results;
    assert.ok(failed?.status === "rejected" && isKind(failed.reason, storeErrors["store-full"]));
    assert.deepEqual(listRows(), [1, 3]);
  });
  test("splits what is too large for one commit", async () => {
    const { queue, commits, insert } = createBench();
    const sizeBytes = 3 * 1024 * 1024;
    await Promise.all([1, 2, 3].map((n) => queue.run(() => insert(n), { sizeBytes })));
    assert.equal(commits(), 3);
  });
  test("a request aborted while it waits is not performed", async () => {
    const { queue, insert, listRows } = createBench();
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = queue.run(() => insert(1), { signal: controller.signal });
    const kept = queue.run(() => insert(2));
    controller.abort(reason);
    await assert.rejects(aborted, (thrown) => thrown === reason);
    await kept;
    assert.deepEqual(listRows(), [2]);
  });
  test("a signal that aborts after the commit changes nothing", async () => {
    const { queue, insert } = createBench();
    const controller = new AbortController();
    assert.equal(await queue.run(() => insert(1), { signal: controller.signal }), 1);
    controller.abort();
  });
  test("flush() commits at once", async () => {
    const { queue, insert, listRows } = createBench();
    const result = queue.run(() => insert(1));
    queue.flush();
    assert.deepEqual(listRows(), [1]);
    assert.equal(await result, 1);
  });
  test("the queue is bounded", async () => {
    const { queue } = createBench();
    const runs = Array.from({ length: 16_385 }, () => queue.run(() => 0));
    const last = runs.pop();
    await assert.rejects(last ?? Promise.resolve(), (thrown) =>
      isKind(thrown, baseErrors.overloaded),
    );
    await Promise.all(runs);
  });
});
