// SPDX-License-Identifier: Apache-2.0
// The face of the store room: the only place where loops meet. Keys are paths (`intent/shop`); values are JSON.

/** Grows by one with every transaction that changed something. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: unknown;
  /** Revision of the transaction that wrote it last. */
  readonly revision: Revision;
}

export type StoreOperation =
  | { readonly kind: "put"; readonly key: string; readonly value: unknown; readonly lease?: string }
  | { readonly kind: "delete"; readonly key: string };

/** Holds when the key's revision is this; 0 means that the key is absent. */
export interface StoreCondition {
  readonly key: string;
  readonly revision: Revision;
}

export interface StoreChange {
  readonly kind: "put" | "delete";
  readonly key: string;
  /** Absent for a delete. */
  readonly value?: unknown;
  readonly revision: Revision;
}

export interface Snapshot {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

export interface ListOptions {
  readonly signal?: AbortSignal;
  /** Only keys greater than this, in the order asked for (less than, when descending). */
  readonly after?: string;
  readonly limit?: number;
  readonly descending?: boolean;
  /** Keys that begin so are left out. */
  readonly except?: string;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  /**
   * Keys that begin so are left out. What one transaction changed before and behind them, in the order of keys, may be told
   * apart.
   */
  readonly except?: string;
}

/** A lease: keys put with it are deleted when it is not renewed for `ttlMs`. */
export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
}

/** How much is stored under a prefix. */
export interface Measure {
  readonly entries: number;
  /** Bytes of keys and of values as JSON; what the backend adds is not counted. */
  readonly sizeBytes: number;
}

/**
 * Linearizable on one store. A write that returned is on disk to the driver's stated durability. Every method rejects
 * with the signal's reason when it aborts, with FL0401 `store-unavailable` when the backend does not answer, with FL0402
 * `store-full` when there is no space; reading stays possible then.
 */
export interface Store extends AsyncDisposable {
  readonly kind: string;
  /** Operations that `transact` surely takes, beside a few conditions. Who has more that need not stay together splits them. */
  readonly operationsMax: number;
  get(key: string, options?: { signal?: AbortSignal }): Promise<Entry | undefined>;
  /** Entries whose key starts with `prefix`, sorted by key, all of one revision. */
  list(prefix: string, options?: ListOptions): Promise<Snapshot>;
  /** Counts without reading the values. */
  measure(prefix: string, options?: { signal?: AbortSignal }): Promise<Measure>;
  /**
   * Applies all operations or none. Returns the new revision, or undefined when a condition does not hold; the
   * present revision when nothing was to change. A key may occur once. Throws FL0406 `lease-expired` for a put under a
   * lease that is gone. A put without a lease detaches the key from its former one.
   */
  transact(
    operations: readonly StoreOperation[],
    conditions?: readonly StoreCondition[],
    options?: { signal?: AbortSignal },
  ): Promise<Revision | undefined>;
  /** Changes after `from`, in order, each transaction's changes together; throws FL0403 `store-lagged` when that history is gone. */
  watch(
    prefix: string,
    from: Revision,
    options: WatchOptions,
  ): AsyncIterable<readonly StoreChange[]>;
  grantLease(ttlMs: number, options?: { signal?: AbortSignal }): Promise<Lease>;
  /** False when it had already expired. */
  renewLease(id: string, options?: { signal?: AbortSignal }): Promise<boolean>;
  /** Deletes its keys at once. */
  revokeLease(id: string, options?: { signal?: AbortSignal }): Promise<void>;
}
