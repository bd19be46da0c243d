// SPDX-License-Identifier: Apache-2.0
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, key TEXT,
  headers TEXT NOT NULL, payload BLOB NOT NULL, at_ms INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS ids_at ON ids (at_ms);
CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, pattern TEXT NOT NULL, durable INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pending (name TEXT NOT NULL, sequence INTEGER NOT NULL, key TEXT, attempt INTEGER NOT NULL DEFAULT 0,
  in_flight INTEGER NOT NULL DEFAULT 0, due_ms REAL NOT NULL DEFAULT 0, delay_ms REAL NOT NULL DEFAULT 0,
  delayed_at_ms REAL NOT NULL DEFAULT 0, PRIMARY KEY (name, sequence)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending_key ON pending (name, key, sequence);
CREATE INDEX IF NOT EXISTS pending_sequence ON pending (sequence);
DELETE FROM pending WHERE name IN (SELECT name FROM groups WHERE durable = 0);
DELETE FROM groups WHERE durable = 0;
`;

/**
 * What was in flight is free again; what was given back with a delay waits for the rest of it. `due_ms` is of this process's
 * monotonic clock, so the rest is told by the wall clock, which may have been set: it is never longer than the delay was.
 */
const REJOIN = `UPDATE pending SET in_flight = 0, due_ms = CASE WHEN in_flight = 0 AND delay_ms > 0
  THEN :monotonic + min(delay_ms, max(0, delayed_at_ms + delay_ms - :now)) ELSE 0 END`;

/**
 * Opens the database, or one in memory for ":memory:", for this process alone. Throws FL0971 when it is damaged, FL0973
 * when another process has it.
 */
export function openDatabase(
  path: string,
  clock: Pick<Clock, "nowMs" | "monotonicMs">,
): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    db.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    const row = db.prepare("PRAGMA integrity_check").get();
    if (row?.["integrity_check"] !== "ok")
      throw new FairleadError(fabricErrors["log-corrupt"], "the message log is damaged", {
        facts: { because: String(row?.["integrity_check"]) },
      });
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    db.prepare(REJOIN).run({ monotonic: clock.monotonicMs(), now: clock.nowMs() });
    return db;
  } catch (thrown) {
    db?.close();
    throw convertError(thrown);
  }
}

/** SQLite's primary result codes: the disk is full or fails; the file is damaged. */
const FULL = new Set([13, 10]);
const CORRUPT = new Set([11, 26]);
/** Somebody else has the lock. */
const BUSY = 5;

/** What SQLite threw as an error of this room; others stay as they are. */
export function convertError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return thrown;
  const code = Number(thrown.errcode) & 0xff;
  const options = { cause: thrown, facts: { because: thrown.message } };
  if (FULL.has(code))
    return new FairleadError(
      fabricErrors["log-full"],
      "the message log cannot be written",
      options,
    );
  if (code === BUSY)
    return new FairleadError(
      fabricErrors["log-locked"],
      "another process has the message log",
      options,
    );
  if (CORRUPT.has(code))
    return new FairleadError(fabricErrors["log-corrupt"], "the message log is damaged", options);
  return thrown;
}
