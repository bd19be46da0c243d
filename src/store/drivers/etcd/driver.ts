// SPDX-License-Identifier: Apache-2.0
// The store on etcd, for several nodes at once. Keys stand under a prefix; etcd's revisions are the store's.
import type { Clock } from "#base/clock.ts";
import { FairleadError, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createExpired } from "#store/lease-keeper.ts";
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
import { explainOther } from "#store/recognize-backend.ts";
import type { Entry, ListOptions, Revision, Snapshot, Store, WatchOptions } from "#store/store.ts";
import { EtcdConnection, type EtcdOptions } from "./connection.ts";
import { leaveOut, type KeyRange } from "./leave-out.ts";
import { mergeWatches } from "./merge-watches.ts";
import type { KeyValue, RequestOp } from "./messages.ts";
import { readRange } from "./read-range.ts";
import { renewLease } from "./renew-lease.ts";
import { watchChanges } from "./watch-changes.ts";

export interface EtcdStoreOptions extends EtcdOptions {
  /** Stands before every key, so that fleets can share an etcd. Printable ASCII. Default `/fairlead/`. */
  readonly prefix?: string;
}

const PREFIX = "/fairlead/";
const LEASE_PREFIX = "lease_";

/**
 * A store on a running etcd, 3.4 or later. Throws FL0401 `store-unavailable` when no member answers, FL0413
 * `store-untrusted` for wrong certificates, FL0408 `store-refused` for wrong credentials, FL0416 `store-other-kind` for a
 * Consul. A write whose answer was lost rejects with `store-unavailable`, and may have been made. Leases last whole seconds, and at least as long as etcd's elections take.
 */
export async function openEtcdStore(
  { prefix = PREFIX, ...options }: EtcdStoreOptions,
  { clock }: { clock: Clock },
): Promise<Store> {
  checkPrefix(prefix);
  const connection = new EtcdConnection(options, clock);
  try {
    await connection.call("KV/Range", { key: encode(""), count_only: true }, { repeatable: true });
  } catch (thrown) {
    connection.close();
    throw await explainOther("etcd", options, thrown);
  }

  function encode(key: string): Buffer {
    return Buffer.from(prefix + key);
  }

  const encodeRange = ({ start, end }: KeyRange) => ({ start: encode(start), end: encode(end) });

  function nameOf(key: Buffer): string {
    return key.toString("latin1").slice(prefix.length);
  }

  function toEntry({ key, value, mod_revision }: KeyValue): Entry {
    return {
      key: nameOf(key),
      value: JSON.parse(value.toString("utf8")),
      revision: Number(mod_revision),
    };
  }

  async function readRevision(signal: AbortSignal | undefined): Promise<Revision> {
    const request = { key: encode(""), count_only: true };
    const { header } = await connection.call("KV/Range", request, { signal, repeatable: true });
    return Number(header.revision);
  }

  async function list(
    under: string,
    { after, limit = Infinity, descending = false, except, signal }: ListOptions,
  ): Promise<Snapshot> {
    const end = endOfPrefix(under);
    const isAfter = after !== undefined;
    const start = isAfter && !descending && after >= under ? `${after}\0` : under;
    const stop = isAfter && descending && after < end ? after : end;
    const ranges = leaveOut({ start, end: stop }, except);
    if (ranges.length === 0) return { revision: await readRevision(signal), entries: [] };
    const entries: Entry[] = [];
    let revision: Revision = 0;
    for (const range of descending ? ranges.toReversed() : ranges) {
      if (entries.length >= limit) break;
      const options = { limit: limit - entries.length, descending, signal, revision };
      for await (const page of readRange(connection, encodeRange(range), options)) {
        ({ revision } = page);
        for (const one of page.kvs) entries.push(toEntry(one));
      }
    }
    return { revision, entries };
  }

  function toRequest(operation: PreparedOperation): RequestOp {
    const key = encode(operation.key);
    if (operation.kind === "delete") return { request_delete_range: { key } };
    const { text, lease } = operation;
    const id = lease === undefined ? "0" : parseLease(lease);
    if (id === undefined) throw createExpired(lease ?? "");
    return { request_put: { key, value: Buffer.from(text), lease: id } };
  }

  async function* watch(under: string, from: Revision, { signal, except }: WatchOptions) {
    // A revision of another cluster, of one that was restored from a copy or has lost all: what comes would be missed.
    async function check(seen: Revision): Promise<void> {
      const newest = await readRevision(signal);
      if (seen > newest) throw createLagged(seen, newest);
    }
    await check(from);
    const ranges = leaveOut({ start: under, end: endOfPrefix(under) }, except);
    const follow = (range: KeyRange, until: AbortSignal) =>
      watchChanges(connection, { ...encodeRange(range), nameOf }, from, {
        signal: until,
        clock,
        check,
      });
    const [only, ...others] = ranges;
    if (only !== undefined && others.length === 0) yield* follow(only, signal);
    else yield* mergeWatches(ranges, follow, signal);
  }

  return {
    kind: "etcd",
    operationsMax: OPERATIONS_MAX,
    async get(key, { signal } = {}) {
      checkKey(key);
      const request = { key: encode(key) };
      const { kvs } = await connection.call("KV/Range", request, { signal, repeatable: true });
      return kvs[0] && toEntry(kvs[0]);
    },
    async list(under, listOptions = {}) {
      checkPrefix(under);
      checkLimit(listOptions.limit);
      return list(under, listOptions);
    },
    async measure(under, { signal } = {}) {
      checkPrefix(under);
      const range = { start: encode(under), end: encode(endOfPrefix(under)) };
      let [entries, sizeBytes] = [0, 0];
      for await (const { kvs } of readRange(connection, range, { signal })) {
        entries += kvs.length;
        for (const { key, value } of kvs) sizeBytes += key.length - prefix.length + value.length;
      }
      return { entries, sizeBytes };
    },
    async transact(operations, conditions = [], { signal } = {}) {
      const prepared = prepareTransaction(operations, conditions);
      signal?.throwIfAborted();
      const request = {
        compare: prepared.conditions.map(({ key, revision }) => ({
          result: "EQUAL" as const,
          target: "MOD" as const,
          key: encode(key),
          mod_revision: revision,
        })),
        success: prepared.operations.map(toRequest),
      };
      const answer = await connection.call("KV/Txn", request, { signal, repeatable: false });
      return answer.succeeded ? Number(answer.header.revision) : undefined;
    },
    watch(under, from, watchOptions) {
      checkPrefix(under);
      return watch(under, from, watchOptions);
    },
    async grantLease(ttlMs, { signal } = {}) {
      checkTtl(ttlMs);
      const request = { TTL: Math.ceil(ttlMs / 1_000) };
      const granted = await connection.call("Lease/LeaseGrant", request, {
        signal,
        repeatable: true,
      });
      return { id: `${LEASE_PREFIX}${granted.ID}`, ttlMs: Number(granted.TTL) * 1_000 };
    },
    async renewLease(id, { signal } = {}) {
      signal?.throwIfAborted();
      const lease = parseLease(id);
      return lease === undefined ? false : renewLease(connection, lease, signal);
    },
    async revokeLease(id, { signal } = {}) {
      signal?.throwIfAborted();
      const lease = parseLease(id);
      if (lease === undefined) return;
      try {
        await connection.call("Lease/LeaseRevoke", { ID: lease }, { signal, repeatable: true });
      } catch (thrown) {
        if (!isKind(thrown, storeErrors["lease-expired"])) throw thrown;
      }
    },
    async [Symbol.asyncDispose]() {
      connection.close();
    },
  };
}

/** etcd's number of a lease; undefined for what cannot be one. */
function parseLease(id: string): string | undefined {
  return /^lease_([1-9]\d{0,18})$/.exec(id)?.[1];
}

/** The error for a watch from a revision that the store has not reached. */
function createLagged(from: Revision, newest: Revision): FairleadError {
  return new FairleadError(
    storeErrors["store-lagged"],
    `The store has not reached revision ${from}: it is another one, or was restored`,
    { facts: { from, newest } },
  );
}
