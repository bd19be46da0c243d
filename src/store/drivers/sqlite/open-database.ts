// SPDX-License-Identifier: Apache-2.0
// Opens the database as its only owner and proves it whole before anything is served from it.
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { convertError, createCorrupt, isBusy, readSqliteCode } from "./convert-error.ts";
import { createFiles, readOwner, syncDirectory, writeOwner } from "./files.ts";
import type { StoreFiles } from "./files.ts";
import { openMark } from "./mark.ts";
import type { Mark } from "./mark.ts";
import { checksumHead, FORMAT, readEntryRow, readHead, readLeaseRow, SCHEMA } from "./rows.ts";
import type { Head, LeaseRow } from "./rows.ts";

/** What an acknowledged write survives: the loss of power, or only the death of the process. */
export type Durability = "power-loss" | "process-crash";

export interface OpenDatabase {
  readonly db: DatabaseSync;
  readonly mark: Mark;
  readonly head: Head;
  readonly leases: readonly LeaseRow[];
}

/** Throws `store-locked`, `store-corrupt`, `store-newer`, `store-full` or `store-unavailable`; holds nothing then. */
export async function openDatabase(
  files: StoreFiles,
  durability: Durability,
  clock: Clock,
): Promise<OpenDatabase> {
  let db: DatabaseSync | undefined;
  let mark: Mark | undefined;
  try {
    createFiles(files);
    db = new DatabaseSync(files.database, { timeout: 0 });
    configure(db, durability);
    writeOwner(files);
    mark = openMark(files.mark);
    if (isEmpty(db, files, mark)) createSchema(db, files, mark);
    const { head, leases } = verify(db, files);
    if (mark.found !== undefined && mark.found > head.revision) {
      const found = `it ends at revision ${head.revision}, but ${mark.found} was acknowledged`;
      throw createCorrupt(files.database, found);
    }
    mark.write(head.revision);
    return { db, mark, head, leases };
  } catch (thrown) {
    mark?.close();
    if (db?.isOpen === true) db.close();
    if (isBusy(thrown)) throw await createLocked(files, clock, thrown);
    throw convertOpenError(thrown, files);
  }
}

/**
 * The exclusive locking mode makes the lock on the file last as long as the connection and die with the process, and
 * keeps the index of the log in memory: there is no -shm file that could be damaged or, on a full disk, kill with SIGBUS.
 */
function configure(db: DatabaseSync, durability: Durability): void {
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  db.exec("PRAGMA cell_size_check = ON");
  db.exec("PRAGMA trusted_schema = OFF");
  db.exec("PRAGMA temp_store = MEMORY");
  db.exec("PRAGMA cache_size = -4096");
  // Setting it writes, which must not be needed to open on a full disk; 2 is incremental.
  const vacuum = db.prepare("PRAGMA auto_vacuum").get()?.["auto_vacuum"];
  if (vacuum !== 2) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA journal_size_limit = 4194304");
  db.exec(`PRAGMA synchronous = ${durability === "power-loss" ? "FULL" : "NORMAL"}`);
  db.exec("BEGIN EXCLUSIVE");
  db.exec("COMMIT");
}

function isEmpty(db: DatabaseSync, files: StoreFiles, mark: Mark): boolean {
  if (db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !== undefined) return false;
  if (mark.found !== undefined) {
    throw createCorrupt(files.database, `it is empty, but revision ${mark.found} was acknowledged`);
  }
  return true;
}

function createSchema(db: DatabaseSync, files: StoreFiles, mark: Mark): void {
  db.exec("BEGIN IMMEDIATE");
  for (const statement of SCHEMA) db.exec(statement);
  const head: Head = { revision: 0, rows: 0, digest: 0 };
  db.prepare("INSERT INTO head VALUES (1, 0, 0, 0, ?)").run(checksumHead(head));
  db.exec(`PRAGMA user_version = ${FORMAT}`);
  db.exec("COMMIT");
  mark.write(0);
  syncDirectory(files.directory);
}

function verify(db: DatabaseSync, files: StoreFiles): { head: Head; leases: LeaseRow[] } {
  const path = files.database;
  const format = db.prepare("PRAGMA user_version").get()?.["user_version"];
  if (typeof format === "number" && format > FORMAT) {
    throw new FairleadError(
      storeErrors["store-newer"],
      `The store has format ${format}; this version knows format ${FORMAT}`,
      { facts: { file: path, format } },
    );
  }
  verifyStructure(db, path);
  const head = readHead(db.prepare("SELECT * FROM head").get(), path);
  let rows = 0;
  let digest = 0;
  for (const raw of db.prepare("SELECT * FROM entries NOT INDEXED").iterate()) {
    const row = readEntryRow(raw, path);
    if (row.revision > head.revision) throw createCorrupt(path, `entry "${row.key}" is too new`);
    rows++;
    digest ^= row.checksum;
  }
  const leases = db
    .prepare("SELECT * FROM leases")
    .all()
    .map((raw) => readLeaseRow(raw, path));
  for (const { checksum } of leases) digest ^= checksum;
  rows += leases.length;
  if (rows !== head.rows || digest >>> 0 !== head.digest) {
    throw createCorrupt(path, `${rows} rows do not match the digest over ${head.rows}`);
  }
  return { head, leases };
}

/** The full check, not the quick one: it also proves that the indexes match the tables, so that no lookup misses a row. */
function verifyStructure(db: DatabaseSync, path: string): void {
  const result = db.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
  if (result !== "ok") throw createCorrupt(path, String(result));
  const found = db
    .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    .all();
  const schema = found.map((row) => row["sql"]);
  if (schema.length !== SCHEMA.length || schema.some((sql, i) => sql !== SCHEMA[i])) {
    throw createCorrupt(path, "its tables are not those of a store");
  }
}

/** While opening, an error in the SQL of the schema means that the file is not what was written. */
function convertOpenError(thrown: unknown, files: StoreFiles): FairleadError {
  const error = convertError(thrown, files.database);
  const SQLITE_ERROR = 1;
  if (readSqliteCode(thrown) !== SQLITE_ERROR) return error;
  return createCorrupt(files.database, error.message, thrown);
}

async function createLocked(
  files: StoreFiles,
  clock: Clock,
  cause: unknown,
): Promise<FairleadError> {
  // The winner of a race notes itself a moment after it has the lock; a dead process in the note is an old one.
  let pid = readOwner(files);
  for (let i = 0; i < 10 && !isAlive(pid); i++) {
    await clock.sleep(20);
    pid = readOwner(files);
  }
  const owner = pid === undefined ? "another process" : `process ${pid}`;
  return new FairleadError(
    storeErrors["store-locked"],
    `The data directory is in use by ${owner}`,
    {
      cause,
      facts: { directory: files.directory, ...(pid === undefined ? {} : { pid }) },
    },
  );
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
}
