// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
import type { LogClock } from "./message-log.ts";

/** How it is with a message of a group. Only the first of a key that is left is anything else than `behind`. */
export const STATE = { behind: 0, ready: 1, delayed: 2, given: 3 } as const;

// Indices of a state each, so that taking costs by what is taken and not by what waits.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, key TEXT,
  headers TEXT NOT NULL, payload BLOB NOT NULL, at_ms INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ids_at ON ids (at_ms);
CREATE TABLE IF NOT EXISTS groups (group_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, pattern TEXT NOT NULL,
  durable INTEGER NOT NULL, UNIQUE (name, pattern)) STRICT;
CREATE TABLE IF NOT EXISTS idle (group_id INTEGER PRIMARY KEY, ms REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pending (group_id INTEGER NOT NULL, sequence INTEGER NOT NULL, key TEXT,
  attempt INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL, due_ms REAL NOT NULL DEFAULT 0, delay_ms REAL NOT NULL DEFAULT 0,
  delayed_at_ms REAL NOT NULL DEFAULT 0, PRIMARY KEY (group_id, sequence)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending_ready ON pending (group_id, sequence) WHERE state = ${STATE.ready};
CREATE INDEX IF NOT EXISTS pending_delayed ON pending (group_id, due_ms) WHERE state = ${STATE.delayed};
CREATE INDEX IF NOT EXISTS pending_key ON pending (group_id, key, sequence) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS pending_sequence ON pending (sequence);
DELETE FROM pending WHERE group_id IN (SELECT group_id FROM groups WHERE durable = 0);
DELETE FROM groups WHERE durable = 0;
UPDATE pending SET state = ${STATE.ready} WHERE state = ${STATE.given};
`;

/**
 * What was given back with a delay waits for the rest of it. `due_ms` is of this process's monotonic clock, so the rest is
 * told by the wall clock, which may have been set: it is never longer than the delay was.
 */
const REJOIN = `UPDATE pending SET due_ms = :monotonic + min(delay_ms, max(0, delayed_at_ms + delay_ms - :now))
  WHERE state = ${STATE.delayed}`;

/** Messages may be anything: the file, and those that SQLite puts beside it, are for their owner alone. */
function createFile(path: string): void {
  // Never opens an existing one: closing it would drop locks that this process may hold on it.
  if (path !== ":memory:" && !existsSync(path)) closeSync(openSync(path, "wx", 0o600));
}

/**
 * Opens the database, or one in memory for ":memory:", for this process alone. Throws `log-corrupt` when it is damaged,
 * `log-locked` when another process has it.
 */
export function openDatabase(
  path: string,
  clock: Pick<LogClock, "nowMs" | "monotonicMs">,
): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    createFile(path);
    db = new DatabaseSync(path);
    db.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    // Structure only: what a message holds has a checksum of its own, looked at when it is given out.
    const row = db.prepare("PRAGMA quick_check(1)").get();
    if (row?.["quick_check"] !== "ok")
      throw fail("data_loss", "log-corrupt", "the message log is damaged", {
        because: String(row?.["quick_check"]),
      });
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    db.prepare(REJOIN).run({ monotonic: clock.monotonicMs(), now: clock.nowMs() });
    return db;
  } catch (thrown) {
    db?.close();
    throw convertError(thrown);
  }
}

function fail(
  code: FabricCode,
  reason: string,
  message: string,
  facts: Readonly<Record<string, string>>,
  cause?: unknown,
): FabricError {
  return new FabricError(code, message, { reason, facts, cause });
}

/** SQLite's primary result codes: the disk is full or fails; the file is damaged. */
const FULL = new Set([13, 10]);
const CORRUPT = new Set([11, 26]);
/** Somebody else has the lock. */
const BUSY = 5;

/** What SQLite threw as an error of the log; others stay as they are. */
export function convertError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return thrown;
  const code = Number(thrown.errcode) & 0xff;
  const facts = { because: thrown.message };
  if (FULL.has(code))
    return fail(
      "resource_exhausted",
      "log-full",
      "the message log cannot be written",
      facts,
      thrown,
    );
  if (code === BUSY)
    return fail(
      "failed_precondition",
      "log-locked",
      "another process has the message log",
      facts,
      thrown,
    );
  if (CORRUPT.has(code))
    return fail("data_loss", "log-corrupt", "the message log is damaged", facts, thrown);
  return thrown;
}
