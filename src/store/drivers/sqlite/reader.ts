// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { endOfPrefix } from "#store/prepare-transaction.ts";
import type { Entry, ListOptions, Measure } from "#store/store.ts";
import { convertError, createCorrupt } from "./convert-error.ts";
import { readEntryRow, readNumber } from "./rows.ts";
import type { RawRow } from "./rows.ts";

/** Reads what is committed; a row whose checksum does not hold throws `store-corrupt` and is never returned. */
export interface Reader {
  get(key: string): Entry | undefined;
  list(prefix: string, options: ListOptions): readonly Entry[];
  measure(prefix: string): Measure;
}

/** A reader over the open database. */
export function createReader(db: DatabaseSync, path: string): Reader {
  const selectOne = db.prepare("SELECT * FROM entries WHERE key = ?");
  const selectUp = db.prepare(
    "SELECT * FROM entries WHERE key >= ? AND key < ? AND key > ? AND NOT (key >= ? AND key < ?) ORDER BY key LIMIT ?",
  );
  const selectDown = db.prepare(
    "SELECT * FROM entries WHERE key >= ? AND key < ? AND key < ? AND NOT (key >= ? AND key < ?) ORDER BY key DESC LIMIT ?",
  );
  const selectMeasure = db.prepare(
    "SELECT count(*) AS entries, coalesce(sum(octet_length(key) + octet_length(value)), 0) AS bytes FROM entries WHERE key >= ? AND key < ?",
  );

  function guard<T>(read: () => T): T {
    try {
      return read();
    } catch (thrown) {
      throw convertError(thrown, path);
    }
  }

  function reveal(raw: RawRow): Entry {
    const { key, value, revision } = readEntryRow(raw, path);
    return { key, value: JSON.parse(value), revision };
  }

  return {
    get: (key) =>
      guard(() => {
        const raw = selectOne.get(key);
        return raw && reveal(raw);
      }),
    list: (prefix, { after, limit, descending = false, except }) =>
      guard(() => {
        const end = endOfPrefix(prefix);
        const select = descending ? selectDown : selectUp;
        const edge = after ?? (descending ? end : "");
        // Nothing is below the empty text.
        const left = except === undefined ? ["", ""] : [except, endOfPrefix(except)];
        return select.all(prefix, end, edge, ...left, limit ?? -1).map(reveal);
      }),
    measure: (prefix) =>
      guard(() => {
        const raw = selectMeasure.get(prefix, endOfPrefix(prefix));
        if (raw === undefined) throw createCorrupt(path, "it cannot be measured");
        return {
          entries: readNumber(raw, "entries", path),
          sizeBytes: readNumber(raw, "bytes", path),
        };
      }),
  };
}
