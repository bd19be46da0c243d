// SPDX-License-Identifier: Apache-2.0
// Changes rows and keeps head, digest and the list of changes in step with them, also across a rollback.
import type { DatabaseSync } from "node:sqlite";
import type { RecordedChange } from "#store/history.ts";
import type { PreparedOperation } from "#store/prepare-transaction.ts";
import type { Revision } from "#store/store.ts";
import type { Mark } from "./mark.ts";
import {
  checksumEntry,
  checksumHead,
  checksumLease,
  readLeaseRow,
  readNumber,
  readText,
} from "./rows.ts";
import type { Head } from "./rows.ts";

export interface CommittedChanges {
  readonly revision: Revision;
  readonly changes: readonly RecordedChange[];
}

export interface Writer {
  begin(): void;
  /** Makes the changes durable and returns them, oldest first. */
  commit(): readonly CommittedChanges[];
  rollback(): void;
  /** Revision of a key within the transaction; 0 when absent. */
  readRevision(key: string): Revision;
  /** Applies the operations; the revision afterwards, which is the present one when nothing changed. */
  apply(operations: readonly PreparedOperation[]): Revision;
  insertLease(id: string, ttlMs: number): void;
  /** Notes what is left of a lease that exists; another one is left alone. */
  updateLease(id: string, remainingMs: number): void;
  /** Deletes the leases and their keys. */
  deleteLeases(ids: readonly string[]): void;
}

/** A writer that continues from `head`. */
export function createWriter(db: DatabaseSync, path: string, mark: Mark, head: Head): Writer {
  let { revision, rows, digest } = head;
  let committed: Head = head;
  let pending: CommittedChanges[] = [];
  const selectEntry = db.prepare("SELECT revision, checksum FROM entries WHERE key = ?");
  const putEntry = db.prepare(
    "INSERT INTO entries VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision, lease = excluded.lease, checksum = excluded.checksum",
  );
  const deleteEntry = db.prepare("DELETE FROM entries WHERE key = ?");
  const selectLeased = db.prepare("SELECT key FROM entries WHERE lease = ? ORDER BY key");
  const selectLease = db.prepare("SELECT * FROM leases WHERE id = ?");
  const upsertLease = db.prepare("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)");
  const deleteLease = db.prepare("DELETE FROM leases WHERE id = ?");
  const updateHead = db.prepare(
    "UPDATE head SET revision = ?, rows = ?, digest = ?, checksum = ? WHERE id = 1",
  );

  /** Replaces one row's part in the digest. */
  function account(before: number | undefined, after: number | undefined): void {
    rows += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    digest = (digest ^ (before ?? 0) ^ (after ?? 0)) >>> 0;
  }

  function applyOperation(
    operation: PreparedOperation,
    next: Revision,
  ): RecordedChange | undefined {
    const { kind, key } = operation;
    const found = selectEntry.get(key);
    const before = found && readNumber(found, "checksum", path);
    if (operation.kind === "delete") {
      if (before === undefined) return undefined;
      deleteEntry.run(key);
      account(before, undefined);
      return { kind, key };
    }
    const { text } = operation;
    const row = { key, value: text, revision: next, lease: operation.lease ?? null };
    const checksum = checksumEntry(row);
    putEntry.run(key, text, next, row.lease, checksum);
    account(before, checksum);
    return { kind, key, text };
  }

  function apply(operations: readonly PreparedOperation[]): Revision {
    const next = revision + 1;
    const changes = operations.flatMap((operation) => applyOperation(operation, next) ?? []);
    if (changes.length === 0) return revision;
    revision = next;
    pending.push({ revision, changes });
    return revision;
  }

  function writeLease(
    id: string,
    ttlMs: number,
    remainingMs: number,
    before: number | undefined,
  ): void {
    const checksum = checksumLease({ id, ttlMs, remainingMs });
    upsertLease.run(id, ttlMs, remainingMs, checksum);
    account(before, checksum);
  }

  return {
    apply,
    begin() {
      db.exec("BEGIN IMMEDIATE");
    },
    commit() {
      const next: Head = { revision, rows, digest };
      if (next.revision !== committed.revision || next.digest !== committed.digest) {
        updateHead.run(revision, rows, digest, checksumHead(next));
      }
      db.exec("COMMIT");
      if (revision !== committed.revision) mark.write(revision);
      committed = next;
      const changes = pending;
      pending = [];
      return changes;
    },
    rollback() {
      ({ revision, rows, digest } = committed);
      pending = [];
      // SQLite has already rolled back by itself after some errors, a full disk among them.
      if (db.isTransaction) db.exec("ROLLBACK");
    },
    readRevision(key) {
      const found = selectEntry.get(key);
      return found === undefined ? 0 : readNumber(found, "revision", path);
    },
    insertLease(id, ttlMs) {
      writeLease(id, ttlMs, ttlMs, undefined);
    },
    updateLease(id, remainingMs) {
      const raw = selectLease.get(id);
      if (raw === undefined) return;
      const { ttlMs, checksum } = readLeaseRow(raw, path);
      writeLease(id, ttlMs, remainingMs, checksum);
    },
    deleteLeases(ids) {
      const keys = ids.flatMap((id) =>
        selectLeased.all(id).map((raw) => readText(raw, "key", path)),
      );
      apply(keys.map((key) => ({ kind: "delete", key })));
      for (const id of ids) {
        const found = selectLease.get(id);
        if (found === undefined) continue;
        deleteLease.run(id);
        account(readNumber(found, "checksum", path), undefined);
      }
    },
  };
}
