// SPDX-License-Identifier: Apache-2.0
// The store on Consul, for several nodes at once. Keys stand under a prefix; indexes of Consul are the store's revisions.
import type { Clock } from "#base/clock.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createExpired } from "#store/lease-keeper.ts";
import {
  checkKey,
  checkLimit,
  checkPrefix,
  checkTtl,
  prepareTransaction,
  type PreparedTransaction,
} from "#store/prepare-transaction.ts";
import { explainOther } from "#store/recognize-backend.ts";
import type { Entry, ListOptions, Revision, Store } from "#store/store.ts";
import { ConsulConnection, type ConsulOptions } from "./connection.ts";
import { convertAnswer, createRefused, isForbidden, type Answer } from "./convert-error.ts";
import { openFeed } from "./feed.ts";
import { decodeValue, type KvPair, type TxnAnswer, type TxnOperation } from "./messages.ts";
import { parseLease, planTransaction } from "./plan-transaction.ts";
import { destroySession, grantSession, renewSession } from "./sessions.ts";

export interface ConsulStoreOptions extends ConsulOptions {
  /** Stands before every key, so that fleets can share a Consul. Letters, digits and `,-_./`. Default `fairlead/`. */
  readonly prefix?: string;
}

interface Transacted extends TxnAnswer {
  readonly address: string;
}

/** A transaction of Consul has 64 operations at most; a put takes two of them, a condition one. */
const OPERATIONS_MAX = 28;

/** Consul's keys begin with no slash, and its newer agents take no others in a path. */
function readPrefix(prefix: string): string {
  const bare = prefix.replace(/^\/+/, "");
  if (/^[\w,./-]{1,128}$/.test(bare) && !/\.\.\/|\/\//.test(bare)) return bare;
  throw new FairleadError(
    baseErrors["invalid-argument"],
    `"${prefix}" cannot stand before keys in Consul: letters, digits and ,-_./ are needed`,
  );
}

/** What a transaction came to; its errors are those of operations. Throws errors of the store for all others. */
function readTransacted(answer: Answer & { readonly address: string }): Transacted {
  const { status, text, address } = answer;
  if (status !== 200 && status !== 409) throw convertAnswer(answer, address);
  const { Results, Errors } = JSON.parse(text) as TxnAnswer;
  const forbidden = Errors?.find(({ What }) => isForbidden(What));
  if (forbidden !== undefined) throw createRefused(forbidden.What, address);
  return { Results, Errors, address };
}

/**
 * A store on a running Consul, 1.7 or later. Throws FL0401 `store-unavailable` when no agent answers, FL0413
 * `store-untrusted` for wrong certificates, FL0416 `store-other-kind` for an etcd, FL0408 `store-refused` for a token that may not. A write whose answer was lost
 * rejects with `store-unavailable`, and may have been made. Leases last whole seconds, and at least twice Consul's
 * `session_ttl_min`, which is 10 s. Watches see the last of several changes of a key that came quickly.
 */
export async function openConsulStore(
  { prefix: wanted = "fairlead/", ...options }: ConsulStoreOptions,
  { clock }: { clock: Clock },
): Promise<Store> {
  const prefix = readPrefix(wanted);
  const connection = new ConsulConnection(options, clock);

  async function ask(
    operations: readonly TxnOperation[],
    { signal, isRead }: { readonly signal: AbortSignal | undefined; readonly isRead: boolean },
  ): Promise<Transacted> {
    const sent = { method: "PUT", body: operations, signal, repeatable: isRead } as const;
    const answer = await connection.send(`/v1/txn${isRead ? "?consistent" : ""}`, sent);
    return readTransacted(answer);
  }

  function toEntry(pair: KvPair): Entry {
    const key = pair.Key.slice(prefix.length);
    return { key, value: JSON.parse(decodeValue(pair)), revision: pair.ModifyIndex };
  }

  async function isAnyPresent(keys: readonly string[], signal: AbortSignal | undefined) {
    const gets = keys.map((key): TxnOperation => ({ KV: { Verb: "get", Key: prefix + key } }));
    const { Errors } = await ask(gets, { signal, isRead: true });
    return (Errors ?? []).length < keys.length;
  }

  async function readTree(under: string, signal: AbortSignal | undefined) {
    const tree: TxnOperation = { KV: { Verb: "get-tree", Key: prefix + under } };
    const { Results } = await ask([tree], { signal, isRead: true });
    return (Results ?? []).flatMap(({ KV }) => (KV.Key === prefix ? [] : [KV]));
  }

  /** What only checks, as nothing is to be changed. */
  async function check(prepared: PreparedTransaction, signal: AbortSignal | undefined) {
    const { operations } = planTransaction(
      { ...prepared, operations: [] },
      { prefix, marker: prefix },
    );
    const { position } = feed;
    if (operations.length === 0) return position;
    const { Errors } = await ask(operations, { signal, isRead: true });
    return (Errors ?? []).length === 0 ? position : undefined;
  }

  async function changesNothing(
    { operations }: PreparedTransaction,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (operations.some(({ kind }) => kind === "put")) return false;
    const keys = operations.map(({ key }) => key);
    return keys.length === 0 || !(await isAnyPresent(keys, signal));
  }

  async function transact(prepared: PreparedTransaction, signal: AbortSignal | undefined) {
    if (await changesNothing(prepared, signal)) return check(prepared, signal);
    const plan = planTransaction(prepared, { prefix, marker: prefix });
    const { Results, Errors, address } = await ask(plan.operations, { signal, isRead: false });
    const failed = Errors ?? [];
    if (failed.some(({ OpIndex }) => OpIndex < plan.checks)) return undefined;
    for (const { OpIndex, What } of failed) {
      const { Verb, Session } = plan.operations[OpIndex]?.KV ?? {};
      if (Verb === "lock") throw createExpired(`lease_${Session}`);
      throw new FairleadError(
        storeErrors["store-unavailable"],
        `Consul at ${address} says: ${What}`,
      );
    }
    const revision = Math.max(...(Results ?? []).map(({ KV }) => KV.ModifyIndex));
    feed.noteWritten(revision);
    return revision;
  }

  async function list(
    under: string,
    { after, limit, descending = false, except, signal }: ListOptions,
  ) {
    // What is read after this was seen or written has it.
    const { position } = feed;
    const pairs = await readTree(under, signal);
    const revision = pairs.reduce((most, one) => Math.max(most, one.ModifyIndex), position);
    const sign = descending ? -1 : 1;
    const isWanted = ({ Key }: KvPair): boolean =>
      (after === undefined || (descending ? Key < prefix + after : Key > prefix + after)) &&
      (except === undefined || !Key.startsWith(prefix + except));
    const entries = pairs
      .filter(isWanted)
      .toSorted((a, b) => (a.Key < b.Key ? -sign : sign))
      .slice(0, limit)
      .map(toEntry);
    return { revision, entries };
  }

  /** Throws FL0403 `store-lagged` for a revision that has not been: of another Consul, or one that lost all. */
  async function checkReached(from: Revision, signal: AbortSignal): Promise<void> {
    if (from <= feed.position) return;
    const query = "?keys&separator=/&consistent";
    const sent = { method: "GET", signal, repeatable: true } as const;
    const { index } = await connection.ask(`/v1/kv/${prefix}${query}`, sent, [200, 404]);
    if (from <= index) return;
    throw new FairleadError(
      storeErrors["store-lagged"],
      `The store has not reached revision ${from}: it is another one, or was restored`,
      { facts: { from, newest: index } },
    );
  }

  async function open() {
    try {
      // A token that may not read is shown an empty Consul; it is told so only where it names a key.
      await isAnyPresent([""], undefined);
      return await openFeed(connection, { prefix, clock });
    } catch (thrown) {
      connection.close();
      throw await explainOther("consul", options, thrown);
    }
  }

  const feed = await open();
  return {
    kind: "consul",
    operationsMax: OPERATIONS_MAX,
    async get(key, { signal } = {}) {
      checkKey(key);
      const found: TxnOperation = { KV: { Verb: "get", Key: prefix + key } };
      const { Results } = await ask([found], { signal, isRead: true });
      const [first] = Results ?? [];
      return first && toEntry(first.KV);
    },
    async list(under, listOptions = {}) {
      checkPrefix(under);
      checkLimit(listOptions.limit);
      return list(under, listOptions);
    },
    async measure(under, { signal } = {}) {
      checkPrefix(under);
      const pairs = await readTree(under, signal);
      const sizes = pairs.map(
        (pair) => pair.Key.length - prefix.length + Buffer.byteLength(decodeValue(pair)),
      );
      return { entries: pairs.length, sizeBytes: sizes.reduce((sum, one) => sum + one, 0) };
    },
    async transact(operations, conditions = [], { signal } = {}) {
      const prepared = prepareTransaction(operations, conditions);
      return transact(prepared, signal);
    },
    async *watch(under, from, options) {
      checkPrefix(under);
      await checkReached(from, options.signal);
      yield* feed.watch(under, from, options);
    },
    async grantLease(ttlMs, { signal } = {}) {
      checkTtl(ttlMs);
      return grantSession(connection, ttlMs, signal);
    },
    async renewLease(id, { signal } = {}) {
      signal?.throwIfAborted();
      const session = parseLease(id);
      return session === undefined ? false : renewSession(connection, session, signal);
    },
    async revokeLease(id, { signal } = {}) {
      signal?.throwIfAborted();
      const session = parseLease(id);
      if (session !== undefined) await destroySession(connection, session, signal);
    },
    async [Symbol.asyncDispose]() {
      feed.stop(new FairleadError(storeErrors["store-unavailable"], "The store is closed"));
      connection.close();
    },
  };
}
