// SPDX-License-Identifier: Apache-2.0
// A transaction of the store in the operations of Consul.
import { createExpired } from "#store/lease-keeper.ts";
import type { PreparedOperation, PreparedTransaction } from "#store/prepare-transaction.ts";
import type { StoreCondition } from "#store/store.ts";
import type { TxnOperation } from "./messages.ts";

export interface PlannedTransaction {
  readonly operations: readonly TxnOperation[];
  /** The first so many only check: when one of them fails, a condition does not hold. */
  readonly checks: number;
}

const LEASE_PREFIX = "lease_";

/** The lease that a session of Consul is. */
export function nameLease(session: string): string {
  return LEASE_PREFIX + session;
}

/** The session of a lease; undefined for what cannot be one. */
export function parseLease(id: string): string | undefined {
  return /^lease_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(id)?.[1];
}

function planCheck(prefix: string, { key, revision }: StoreCondition): TxnOperation {
  const Key = prefix + key;
  return revision === 0
    ? { KV: { Verb: "check-not-exists", Key } }
    : { KV: { Verb: "check-index", Key, Index: revision } };
}

function planPut(Key: string, text: string, lease: string | undefined): TxnOperation {
  const Value = Buffer.from(text).toString("base64");
  if (lease === undefined) return { KV: { Verb: "set", Key, Value } };
  const Session = parseLease(lease);
  if (Session === undefined) throw createExpired(lease);
  return { KV: { Verb: "lock", Key, Value, Session } };
}

/**
 * An entry that is there is deleted before it is written: else it would stay with the session that it hangs on, another
 * session could not take it, and one whose value is the same would keep its index.
 */
function planOperation(
  prefix: string,
  operation: PreparedOperation,
  absent: ReadonlySet<string>,
): readonly TxnOperation[] {
  const Key = prefix + operation.key;
  const removal: TxnOperation = { KV: { Verb: "delete", Key } };
  if (operation.kind === "delete") return [removal];
  const written = planPut(Key, operation.text, operation.lease);
  return absent.has(operation.key) ? [written] : [removal, written];
}

/**
 * A transaction that only deletes tells no index, so `marker`, a key of no entry, is written with it. Throws FL0406
 * `lease-expired` for a lease that is none of Consul.
 */
export function planTransaction(
  { operations, conditions }: PreparedTransaction,
  { prefix, marker }: { readonly prefix: string; readonly marker: string },
): PlannedTransaction {
  const checks = conditions.map((condition) => planCheck(prefix, condition));
  const absent = new Set(conditions.flatMap((one) => (one.revision === 0 ? [one.key] : [])));
  const writes = operations.flatMap((operation) => planOperation(prefix, operation, absent));
  const isSilent = operations.length > 0 && operations.every(({ kind }) => kind === "delete");
  const marking: readonly TxnOperation[] = isSilent
    ? [{ KV: { Verb: "delete", Key: marker } }, { KV: { Verb: "set", Key: marker, Value: "" } }]
    : [];
  return { operations: [...checks, ...writes, ...marking], checks: checks.length };
}
