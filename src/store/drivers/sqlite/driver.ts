// SPDX-License-Identifier: Apache-2.0
// One SQLite database, one owner, one connection: the default store of a node. Start reading in open-database.ts.
import { randomUUID } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createHistory, HISTORY_LIMITS } from "#store/history.ts";
import type { HistoryLimits } from "#store/history.ts";
import { createExpired, createLeaseKeeper } from "#store/lease-keeper.ts";
import type { LeaseKeeper } from "#store/lease-keeper.ts";
import {
  checkKey,
  checkLimit,
  checkPrefix,
  checkTtl,
  OPERATIONS_MAX,
  prepareTransaction,
} from "#store/prepare-transaction.ts";
import type { PreparedTransaction } from "#store/prepare-transaction.ts";
import type { Revision, Store } from "#store/store.ts";
import { createCommitQueue } from "./commit-queue.ts";
import { convertError } from "./convert-error.ts";
import { locateFiles } from "./files.ts";
import { openDatabase } from "./open-database.ts";
import type { Durability, OpenDatabase } from "./open-database.ts";
import { createReader } from "./reader.ts";
import { shrinkFile } from "./shrink-file.ts";
import { createWriter } from "./writer.ts";
import type { Writer } from "./writer.ts";

export interface SqliteStoreOptions {
  /** Directory of its own for the store's files; created with mode 0700 when missing. */
  readonly directory: string;
  /**
   * What an acknowledged write survives. "power-loss" (default) waits for the disk once a commit; "process-crash" does
   * not and is some ten times faster, for data that can be rebuilt.
   */
  readonly durability?: Durability;
}

/** Opens or creates the store. Throws `store-locked`, `store-corrupt`, `store-newer`, `store-full`, `store-unavailable`. */
export async function openSqliteStore(
  { directory, durability = "power-loss" }: SqliteStoreOptions,
  { clock, historyLimits = HISTORY_LIMITS }: { clock: Clock; historyLimits?: HistoryLimits },
): Promise<Store> {
  const files = locateFiles(directory);
  const opened = await openDatabase(files, durability, clock);
  return createStore(opened, files.database, clock, historyLimits);
}

function createStore(
  { db, mark, head, leases: leaseRows }: OpenDatabase,
  path: string,
  clock: Clock,
  historyLimits: HistoryLimits,
): Store {
  const history = createHistory(head.revision, { limits: historyLimits });
  const reader = createReader(db, path);
  const writer = createWriter(db, path, mark, head);
  const queue = createCommitQueue({
    begin: () => writer.begin(),
    commit() {
      for (const { revision, changes } of writer.commit()) history.append(revision, changes);
    },
    rollback: () => writer.rollback(),
    rest: () => (closed === undefined ? shrinkFile(db) : undefined),
    convertError: (thrown) => convertError(thrown, path),
  });
  const leases = createLeaseKeeper(clock, (ids) => queue.run(() => writer.deleteLeases(ids)));
  /** Term of the leases whose row says less than a whole one; the first renewal corrects it. */
  const shortened = new Map<string, number>();
  let closed: FairleadError | undefined;

  for (const { id, ttlMs, remainingMs } of leaseRows) {
    leases.start(id, ttlMs, remainingMs);
    if (remainingMs < ttlMs) shortened.set(id, ttlMs);
  }

  function check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (closed !== undefined) throw closed;
  }

  function close(): void {
    queue.flush();
    closed = new FairleadError(storeErrors["store-unavailable"], "The store is closed");
    leases.stop();
    saveLeases(writer, leases);
    history.close(closed);
    try {
      mark.close();
    } finally {
      db.close();
    }
  }

  return {
    kind: "sqlite",
    operationsMax: OPERATIONS_MAX,
    async get(key, options) {
      check(options?.signal);
      checkKey(key);
      return reader.get(key);
    },
    async list(prefix, options = {}) {
      check(options.signal);
      checkPrefix(prefix);
      checkLimit(options.limit);
      return { revision: history.revision, entries: reader.list(prefix, options) };
    },
    async measure(prefix, options) {
      check(options?.signal);
      checkPrefix(prefix);
      return reader.measure(prefix);
    },
    async transact(operations, conditions = [], options) {
      check(options?.signal);
      const prepared = prepareTransaction(operations, conditions);
      const { sizeBytes } = prepared;
      const outcome = await queue.run(() => transactNow(writer, leases, prepared), {
        signal: options?.signal,
        sizeBytes,
      });
      if (outcome.expiredLease !== undefined) throw createExpired(outcome.expiredLease);
      return outcome.revision;
    },
    watch(prefix, from, options) {
      checkPrefix(prefix);
      return history.watch(prefix, from, options);
    },
    async grantLease(ttlMs, options) {
      check(options?.signal);
      checkTtl(ttlMs);
      const id = `lease_${randomUUID()}`;
      await queue.run(() => writer.insertLease(id, ttlMs), { signal: options?.signal });
      leases.start(id, ttlMs);
      return { id, ttlMs };
    },
    async renewLease(id, options) {
      check(options?.signal);
      if (!leases.renew(id)) return false;
      const ttlMs = shortened.get(id);
      if (ttlMs !== undefined) {
        await queue.run(() => writer.updateLease(id, ttlMs), { signal: options?.signal });
        shortened.delete(id);
      }
      return true;
    },
    async revokeLease(id, options) {
      check(options?.signal);
      await queue.run(() => writer.deleteLeases([id]), { signal: options?.signal });
      leases.remove(id);
    },
    async [Symbol.asyncDispose]() {
      if (closed === undefined) close();
    },
  };
}

interface Outcome {
  /** Undefined when a condition does not hold or a lease is gone. */
  readonly revision: Revision | undefined;
  readonly expiredLease?: string;
}

/** Checks everything before it writes anything. */
function transactNow(
  writer: Writer,
  leases: LeaseKeeper,
  { operations, conditions }: PreparedTransaction,
): Outcome {
  if (!conditions.every((c) => writer.readRevision(c.key) === c.revision)) {
    return { revision: undefined };
  }
  for (const operation of operations) {
    if (operation.kind === "delete" || operation.lease === undefined) continue;
    if (!leases.isLive(operation.lease)) {
      return { revision: undefined, expiredLease: operation.lease };
    }
  }
  return { revision: writer.apply(operations) };
}

/** So that after reopening each lease continues with what is left of it: the time in between does not count. */
function saveLeases(writer: Writer, leases: LeaseKeeper): void {
  const remaining = leases.listRemaining();
  if (remaining.length === 0) return;
  try {
    writer.begin();
    for (const { id, remainingMs } of remaining) writer.updateLease(id, remainingMs);
    writer.commit();
  } catch {
    // The disk is full: after reopening they get a whole term, which never ends a live one early.
    writer.rollback();
  }
}
