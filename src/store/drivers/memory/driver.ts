// SPDX-License-Identifier: Apache-2.0
// A whole store in memory, deterministic under a virtual clock: no timers of its own, ids by counting.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createHistory, HISTORY_LIMITS } from "#store/history.ts";
import type { HistoryLimits, RecordedChange } from "#store/history.ts";
import { createLeaseKeeper } from "#store/lease-keeper.ts";
import {
  checkKey,
  checkLimit,
  checkPrefix,
  checkTtl,
  endOfPrefix,
  OPERATIONS_MAX,
  prepareTransaction,
} from "#store/prepare-transaction.ts";
import type { PreparedOperation } from "#store/prepare-transaction.ts";
import type { Entry, ListOptions, Revision, Store, StoreCondition } from "#store/store.ts";
import { createSortedKeys } from "./sorted-keys.ts";

interface Row extends RecordedChange {
  readonly text: string;
  readonly revision: Revision;
  readonly lease: string | undefined;
}

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly historyLimits?: HistoryLimits;
  /** Whether all who read a value get the same one, frozen: for many nodes in one process. By default each gets its own. */
  readonly shares?: boolean;
}

function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/** Each value is parsed once, when it is first asked for. */
function createSharedParser(): (change: RecordedChange) => unknown {
  const parsed = new WeakMap<RecordedChange, unknown>();
  return (change) => {
    if (!parsed.has(change)) parsed.set(change, freeze(JSON.parse(change.text ?? "null")));
    return parsed.get(change);
  };
}

/** An empty store that lives as long as the process. Takes the same values and keeps the same promises as the others. */
export function createMemoryStore({
  clock,
  historyLimits = HISTORY_LIMITS,
  shares = false,
}: MemoryStoreOptions): Store {
  const parse = shares ? createSharedParser() : undefined;
  const rows = new Map<string, Row>();
  const keys = createSortedKeys();
  const history = createHistory(0, { limits: historyLimits, ...(parse && { parse }) });
  const leases = createLeaseKeeper(clock, async (ids) => deleteLeased(new Set(ids)));
  let leaseCount = 0;
  let closed: FairleadError | undefined;

  function check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (closed !== undefined) throw closed;
  }

  function deleteLeased(ids: ReadonlySet<string>): void {
    const leased = [...rows].filter(([, row]) => row.lease !== undefined && ids.has(row.lease));
    applyOperations(leased.map(([key]) => ({ kind: "delete", key })));
  }

  function applyOperations(operations: readonly PreparedOperation[]): Revision {
    const effective = operations.filter((o) => o.kind === "put" || rows.has(o.key));
    if (effective.length === 0) return history.revision;
    const revision = history.revision + 1;
    history.append(
      revision,
      effective.map((operation) => applyOperation(operation, revision)),
    );
    return revision;
  }

  function applyOperation(operation: PreparedOperation, revision: Revision): RecordedChange {
    const { kind, key } = operation;
    if (operation.kind === "delete") {
      rows.delete(key);
      keys.delete(key);
      return { kind, key };
    }
    const { text, lease } = operation;
    if (!rows.has(key)) keys.add(key);
    const row: Row = { kind, key, text, revision, lease };
    rows.set(key, row);
    return row;
  }

  function holds(condition: StoreCondition): boolean {
    return (rows.get(condition.key)?.revision ?? 0) === condition.revision;
  }

  function readEntry(key: string): Entry | undefined {
    const row = rows.get(key);
    return row && { key, value: parse?.(row) ?? JSON.parse(row.text), revision: row.revision };
  }

  return {
    kind: "memory",
    operationsMax: OPERATIONS_MAX,
    async get(key, options) {
      check(options?.signal);
      checkKey(key);
      return readEntry(key);
    },
    async list(prefix, options: ListOptions = {}) {
      check(options.signal);
      checkPrefix(prefix);
      checkLimit(options.limit);
      const entries = keys
        .slice(prefix, endOfPrefix(prefix), options)
        .flatMap((key) => readEntry(key) ?? []);
      return { revision: history.revision, entries };
    },
    async measure(prefix, options) {
      check(options?.signal);
      checkPrefix(prefix);
      const found = keys.slice(prefix, endOfPrefix(prefix), {});
      const sizeBytes = found.reduce(
        (sum, key) => sum + key.length + Buffer.byteLength(rows.get(key)?.text ?? ""),
        0,
      );
      return { entries: found.length, sizeBytes };
    },
    async transact(operations, conditions = [], options) {
      check(options?.signal);
      const prepared = prepareTransaction(operations, conditions);
      if (!prepared.conditions.every(holds)) return undefined;
      for (const operation of prepared.operations) {
        if (operation.kind === "put" && operation.lease !== undefined) {
          leases.checkLive(operation.lease);
        }
      }
      return applyOperations(prepared.operations);
    },
    watch(prefix, from, options) {
      checkPrefix(prefix);
      return history.watch(prefix, from, options);
    },
    async grantLease(ttlMs, options) {
      check(options?.signal);
      checkTtl(ttlMs);
      const id = `lease_${++leaseCount}`;
      leases.start(id, ttlMs);
      return { id, ttlMs };
    },
    async renewLease(id, options) {
      check(options?.signal);
      return leases.renew(id);
    },
    async revokeLease(id, options) {
      check(options?.signal);
      deleteLeased(new Set([id]));
      leases.remove(id);
    },
    async [Symbol.asyncDispose]() {
      closed ??= new FairleadError(storeErrors["store-unavailable"], "The store is closed");
      leases.stop();
      history.close(closed);
    },
  };
}
