// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { convertError } from "./schema.ts";

/** `disk` waits until the disk has it; `process` until a kill of this process cannot take it back. */
export type Durability = "disk" | "process";

/** Tells whoever asked, once the transaction has ended one way or the other. */
export interface Outcome {
  readonly done: () => void;
  readonly failed: (thrown: unknown) => void;
}

/** Runs work in transactions: what is asked for in one turn of the event loop shares one, and one sync of the disk. */
export interface CommitQueue {
  /** Resolves after the commit; work that throws is undone alone, a failed commit rejects all of it. */
  run<T>(work: () => T, durability: Durability): Promise<T>;
  /** Makes a transaction come, also when there is no other work. */
  wake(): void;
  /** Within work: what takes back a change in memory if its transaction is undone. */
  onUndo(undo: () => void): void;
  /** Does what there is to do at once, before the database is closed. */
  flush(): void;
}

interface Entry {
  readonly perform: () => Outcome;
  readonly failed: (thrown: unknown) => void;
  readonly durability: Durability;
}

/** Work in one transaction; more waits for the next turn, so that nothing else waits long. */
const ENTRIES_MAX = 1_000;

/** `serve` does at the end of each transaction what follows from it, and adds who is to be told. */
export function createCommitQueue(
  db: DatabaseSync,
  serve: (outcomes: Outcome[]) => void,
): CommitQueue {
  const entries: Entry[] = [];
  let undos: (() => void)[] = [];
  let scheduled = false;
  let synced: Durability = "disk";

  function undoDownTo(length: number): void {
    for (const undo of undos.splice(length).reverse()) undo();
  }

  function performOne(entry: Entry): Outcome | undefined {
    const before = undos.length;
    db.exec("SAVEPOINT one");
    try {
      const outcome = entry.perform();
      db.exec("RELEASE one");
      return outcome;
    } catch (thrown) {
      // A full disk may have undone the whole transaction already; then everybody must hear of it.
      if (!db.isTransaction) throw thrown;
      db.exec("ROLLBACK TO one; RELEASE one");
      undoDownTo(before);
      entry.failed(convertError(thrown));
      return undefined;
    }
  }

  function flush(): void {
    const batch = entries.splice(0, ENTRIES_MAX);
    scheduled = false;
    if (entries.length > 0) schedule();
    const outcomes: Outcome[] = [];
    try {
      const durability = batch.some((entry) => entry.durability === "disk") ? "disk" : "process";
      if (durability !== synced)
        db.exec(`PRAGMA synchronous=${durability === "disk" ? "FULL" : "NORMAL"}`);
      synced = durability;
      db.exec("BEGIN IMMEDIATE");
      for (const entry of batch) {
        const outcome = performOne(entry);
        if (outcome !== undefined) outcomes.push(outcome);
      }
      serve(outcomes);
      db.exec("COMMIT");
    } catch (thrown) {
      if (db.isTransaction) db.exec("ROLLBACK");
      undoDownTo(0);
      const error = convertError(thrown);
      for (const { failed } of [...batch, ...outcomes]) failed(error);
      return;
    }
    undos = [];
    for (const { done } of outcomes) done();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      if (scheduled) flush();
    });
  }

  return {
    flush() {
      do flush();
      while (entries.length > 0);
      // What the last work asked for is for nobody: the database is closed next.
      scheduled = false;
    },
    wake: schedule,
    onUndo: (undo) => void undos.push(undo),
    run: (work, durability) =>
      new Promise((resolve, reject) => {
        schedule();
        entries.push({
          perform() {
            const result = work();
            return { done: () => resolve(result), failed: reject };
          },
          failed: reject,
          durability,
        });
      }),
  };
}
