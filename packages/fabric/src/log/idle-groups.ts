// SPDX-License-Identifier: Apache-2.0
// Durable groups that nobody reads, for how long, and when they go: what only they wait for would fill the log for ever.
// Counted is the time in which the log is open, on the steady clock: a host that was off, or whose clock was set, takes nobody's
// messages. All of it runs inside a transaction.
import type { DatabaseSync } from "node:sqlite";
import type { LogClock } from "./message-log.ts";

/** How often it is looked for groups that are over. */
const LOOK_MS = 60_000;

/** A durable group that goes. */
export interface IdleGroup {
  readonly id: number;
  readonly name: string;
  readonly pattern: string;
  /** Messages that it has not acknowledged. */
  readonly waiting: number;
}

export interface IdleGroupsParts {
  readonly db: DatabaseSync;
  readonly clock: Pick<LogClock, "monotonicMs">;
  readonly onUndo: (undo: () => void) => void;
  /** How long a group that nobody reads is kept. */
  readonly keepMs: number;
}

/** Begins with all durable groups unread. */
export function createIdleGroups({ db, clock, onUndo, keepMs }: IdleGroupsParts) {
  const count = db.prepare("UPDATE idle SET ms = ms + ?");
  const begin = db.prepare("INSERT OR REPLACE INTO idle VALUES (?, 0)");
  const end = db.prepare("DELETE FROM idle WHERE group_id = ?");
  const listOver = db.prepare(
    `SELECT group_id, name, pattern, (SELECT count(*) FROM pending p WHERE p.group_id = g.group_id) AS waiting
     FROM groups g JOIN idle USING (group_id) WHERE ms >= ?`,
  );
  let countedMs = clock.monotonicMs();
  let lookedMs = countedMs;
  db.exec("INSERT OR IGNORE INTO idle SELECT group_id, 0 FROM groups");

  function catchUp(): void {
    const beforeMs = countedMs;
    countedMs = clock.monotonicMs();
    count.run(countedMs - beforeMs);
    onUndo(() => (countedMs = beforeMs));
  }

  return {
    keepMs,
    /** Time that is not counted in the table yet. */
    get uncountedMs(): number {
      return clock.monotonicMs() - countedMs;
    },
    /** Whether it is time to look for groups that are over. */
    get isDue(): boolean {
      return clock.monotonicMs() - lookedMs >= LOOK_MS;
    },
    /** Somebody reads it. */
    use(groupId: number): void {
      end.run(groupId);
    },
    /** Nobody reads it any more. */
    leave(groupId: number): void {
      catchUp();
      begin.run(groupId);
    },
    /** Those that nobody has read for too long, to be removed. */
    listOver(): readonly IdleGroup[] {
      const beforeMs = lookedMs;
      lookedMs = clock.monotonicMs();
      onUndo(() => (lookedMs = beforeMs));
      catchUp();
      return listOver.all(keepMs).map((row) => ({
        id: Number(row["group_id"]),
        name: String(row["name"]),
        pattern: String(row["pattern"]),
        waiting: Number(row["waiting"]),
      }));
    },
  };
}

/** Counts for how long groups are not read. */
export type IdleGroups = ReturnType<typeof createIdleGroups>;
