// SPDX-License-Identifier: Apache-2.0
// The tables and their checksums. Each row carries a CRC-32 of all its columns, and the one row of `head` carries the
// XOR and the number of all rows: a changed, lost or doubled row is found when the database is opened, a changed one
// also whenever it is read.
import type { SQLOutputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import { createCorrupt } from "./convert-error.ts";

/** Raised when a table changes; a database with a higher one is refused. */
export const FORMAT = 1;

/**
 * As SQLite stores it, compared literally on opening. `entries` has row ids because a row of a table without them moves
 * to a page of its own from 1,000 bytes on: decisions would take four times their size.
 */
export const SCHEMA: readonly string[] = [
  "CREATE TABLE entries (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, revision INTEGER NOT NULL, lease TEXT, checksum INTEGER NOT NULL) STRICT",
  "CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL",
  "CREATE TABLE leases (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL, remaining_ms INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  "CREATE TABLE head (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, rows INTEGER NOT NULL, digest INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT",
];

export type RawRow = Record<string, SQLOutputValue>;

export interface EntryRow {
  readonly key: string;
  /** JSON. */
  readonly value: string;
  readonly revision: number;
  readonly lease: string | null;
  readonly checksum: number;
}

export interface LeaseRow {
  readonly id: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly checksum: number;
}

/** What is true of the whole database. */
export interface Head {
  readonly revision: number;
  /** Entries and leases. */
  readonly rows: number;
  /** XOR of the checksums of all entries and leases. */
  readonly digest: number;
}

/** CRC-32 of all that an entry says. */
export function checksumEntry(row: Omit<EntryRow, "checksum">): number {
  const start = crc32(
    `${row.key}\0${row.revision}\0${row.lease === null ? "" : `+${row.lease}`}\0`,
  );
  return crc32(row.value, start);
}

/** CRC-32 of all that a lease says. */
export function checksumLease(row: Omit<LeaseRow, "checksum">): number {
  return crc32(`${row.id}\0${row.ttlMs}\0${row.remainingMs}`);
}

/** CRC-32 of the head, which itself sums up all rows. */
export function checksumHead(head: Head): number {
  return crc32(`${head.revision}\0${head.rows}\0${head.digest}`);
}

/** An entry whose checksum holds. Throws `store-corrupt`. */
export function readEntryRow(raw: RawRow, path: string): EntryRow {
  const lease = raw["lease"];
  const row: EntryRow = {
    key: readText(raw, "key", path),
    value: readText(raw, "value", path),
    revision: readNumber(raw, "revision", path),
    lease: typeof lease === "string" ? lease : null,
    checksum: readNumber(raw, "checksum", path),
  };
  if (checksumEntry(row) !== row.checksum) {
    throw createCorrupt(path, `the checksum of entry "${row.key}" does not hold`);
  }
  return row;
}

/** A lease whose checksum holds. Throws `store-corrupt`. */
export function readLeaseRow(raw: RawRow, path: string): LeaseRow {
  const row: LeaseRow = {
    id: readText(raw, "id", path),
    ttlMs: readNumber(raw, "ttl_ms", path),
    remainingMs: readNumber(raw, "remaining_ms", path),
    checksum: readNumber(raw, "checksum", path),
  };
  if (checksumLease(row) !== row.checksum) {
    throw createCorrupt(path, `the checksum of lease "${row.id}" does not hold`);
  }
  return row;
}

/** The head when its checksum holds. Throws `store-corrupt`. */
export function readHead(raw: RawRow | undefined, path: string): Head {
  if (raw === undefined) throw createCorrupt(path, "the head row is missing");
  const head: Head = {
    revision: readNumber(raw, "revision", path),
    rows: readNumber(raw, "rows", path),
    digest: readNumber(raw, "digest", path),
  };
  if (checksumHead(head) !== raw["checksum"]) {
    throw createCorrupt(path, "the checksum of the head row does not hold");
  }
  return head;
}

/** A column that must hold text. Throws `store-corrupt`. */
export function readText(raw: RawRow, column: string, path: string): string {
  const value = raw[column];
  if (typeof value !== "string") throw createCorrupt(path, `column ${column} holds no text`);
  return value;
}

/** A column that must hold a number. Throws `store-corrupt`. */
export function readNumber(raw: RawRow, column: string, path: string): number {
  const value = raw[column];
  if (typeof value !== "number") throw createCorrupt(path, `column ${column} holds no number`);
  return value;
}
