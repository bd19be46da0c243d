// SPDX-License-Identifier: Apache-2.0
import type { ErrorKind } from "#base/errors.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
/** Extended codes: the file ends too early; the file system found its own data damaged. */
const DAMAGED: ReadonlySet<unknown> = new Set([
  10 | (2 << 8), // SQLITE_IOERR_SHORT_READ
  10 | (32 << 8), // SQLITE_IOERR_DATA
  10 | (33 << 8), // SQLITE_IOERR_CORRUPTFS
]);

/** The primary SQLite result code of a thrown value (its extended code's low byte), or undefined for anything else. */
export function readSqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode & 0xff : undefined;
}

/** True when another connection holds the database. */
export function isBusy(thrown: unknown): boolean {
  const code = readSqliteCode(thrown);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** Whatever SQLite or the file system threw, as an error of the store. */
export function convertError(thrown: unknown, path: string): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const { message } = FairleadError.from(thrown);
  return new FairleadError(selectKind(thrown), `The store says: ${message}`, {
    cause: thrown,
    facts: { file: path },
  });
}

function selectKind(thrown: unknown): ErrorKind {
  const system = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (system === "ENOSPC" || system === "EDQUOT") return storeErrors["store-full"];
  // A column that should be a small whole number is not.
  if (system === "ERR_OUT_OF_RANGE") return storeErrors["store-corrupt"];
  const extended = thrown instanceof Error && "errcode" in thrown ? thrown.errcode : undefined;
  if (DAMAGED.has(extended)) return storeErrors["store-corrupt"];
  switch (readSqliteCode(thrown)) {
    case SQLITE_FULL:
      return storeErrors["store-full"];
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return storeErrors["store-corrupt"];
    default:
      return storeErrors["store-unavailable"];
  }
}

/** The error for files that do not match their checksums. */
export function createCorrupt(path: string, found: string, cause?: unknown): FairleadError {
  return new FairleadError(storeErrors["store-corrupt"], `The store is corrupt: ${found}`, {
    facts: { file: path, found },
    ...(cause === undefined ? {} : { cause }),
  });
}
