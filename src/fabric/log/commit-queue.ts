// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";

/** Runs work in transactions: what is asked for in one turn of the event loop shares one sync of the disk. */
export interface CommitQueue {
  /** Resolves after the commit; work that throws is undone alone, a failed commit rejects all of it. */
  run<T>(work: () => T): Promise<T>;
  flush(): void;
}

interface Entry {
  /** Does the work and returns how to tell the caller once it is durable. */
  readonly perform: () => () => void;
  readonly fail: (thrown: unknown) => void;
}

/** `onRollback` is called whenever something was undone, so that counters can be read anew. */
export function createCommitQueue(db: DatabaseSync, onRollback: () => void): CommitQueue {
  let entries: Entry[] = [];

  function performOne(entry: Entry): (() => void) | undefined {
    db.exec("SAVEPOINT one");
    try {
      const tell = entry.perform();
      db.exec("RELEASE one");
      return tell;
    } catch (thrown) {
      // A full disk may have undone the whole transaction already; then everybody must hear of it.
      if (!db.isTransaction) throw thrown;
      db.exec("ROLLBACK TO one; RELEASE one");
      onRollback();
      entry.fail(thrown);
      return undefined;
    }
  }

  function flush(): void {
    const batch = entries;
    entries = [];
    if (batch.length === 0) return;
    let tells: ((() => void) | undefined)[];
    try {
      db.exec("BEGIN IMMEDIATE");
      tells = batch.map((entry) => performOne(entry));
      db.exec("COMMIT");
    } catch (thrown) {
      if (db.isTransaction) db.exec("ROLLBACK");
      onRollback();
      for (const entry of batch) entry.fail(thrown);
      return;
    }
    for (const tell of tells) tell?.();
  }

  return {
    flush,
    run: (work) =>
      new Promise((resolve, reject) => {
        if (entries.length === 0) setImmediate(flush);
        entries.push({
          perform() {
            const result = work();
            return () => resolve(result);
          },
          fail: reject,
        });
      }),
  };
}
