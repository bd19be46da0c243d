// SPDX-License-Identifier: Apache-2.0
import { DatabaseSync } from "node:sqlite";
import { FairleadError } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, key TEXT,
  headers TEXT NOT NULL, payload BLOB NOT NULL, at_ms INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS ids_at ON ids (at_ms);
CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, pattern TEXT NOT NULL, durable INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pending (name TEXT NOT NULL, sequence INTEGER NOT NULL, key TEXT, attempt INTEGER NOT NULL DEFAULT 0,
  in_flight INTEGER NOT NULL DEFAULT 0, due_ms REAL NOT NULL DEFAULT 0, PRIMARY KEY (name, sequence)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending_key ON pending (name, key, sequence);
CREATE INDEX IF NOT EXISTS pending_sequence ON pending (sequence);
DELETE FROM pending WHERE name IN (SELECT name FROM groups WHERE durable = 0);
DELETE FROM groups WHERE durable = 0;
UPDATE pending SET in_flight = 0, due_ms = 0;
`;

/** Opens the database, or one in memory for ":memory:". Throws FL0971 when it is damaged. */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    const row = db.prepare("PRAGMA integrity_check").get();
    if (row?.["integrity_check"] !== "ok")
      throw new FairleadError(fabricErrors["log-corrupt"], "the message log is damaged", {
        facts: { because: String(row?.["integrity_check"]) },
      });
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    return db;
  } catch (thrown) {
    db?.close();
    throw convertError(thrown);
  }
}

/** SQLite's primary result codes: the disk is full or fails; the file is damaged. */
const FULL = new Set([13, 10]);
const CORRUPT = new Set([11, 26]);

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
  if (CORRUPT.has(code))
    return new FairleadError(fabricErrors["log-corrupt"], "the message log is damaged", options);
  return thrown;
}
