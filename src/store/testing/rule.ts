// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { Revision, Store, StoreChange, StoreOperation } from "#store/store.ts";

/** A store under test, and how to make its time pass. */
export interface StoreFixture extends AsyncDisposable {
  /** The store that is open now. */
  readonly store: Store;
  /** Lets this much time pass for leases; a driver without a clock of its own really waits. */
  elapse(ms: number): Promise<void>;
  /** How much later than its time a lease may end here, ms. */
  readonly expiryLagMs: number;
  /** Whether revisions are left out, as others make them too. */
  readonly gaps?: boolean;
  /** Moves the wall clock only; does nothing for a driver that has none. */
  jumpWallClock(ms: number): void;
  /** Closes the store and opens it again on the same state. */
  reopen(): Promise<void>;
}

/** Throws when the promise is not kept. */
export type Rule = (fixture: StoreFixture) => Promise<void>;

export function put(key: string, value: unknown, lease?: string): StoreOperation {
  return lease === undefined ? { kind: "put", key, value } : { kind: "put", key, value, lease };
}

/** Fails unless the revision is that many after the other one; where there are gaps it may be more. */
export function assertLater(
  { gaps = false }: StoreFixture,
  revision: Revision | undefined,
  { than, by }: { readonly than: Revision; readonly by: number },
): void {
  const later = (revision ?? 0) - than;
  assert.ok(gaps ? later >= by : later === by, `${later} after ${than}`);
}

export function remove(key: string): StoreOperation {
  return { kind: "delete", key };
}

/** Keys under the prefix. */
export async function listKeys(store: Store, prefix = ""): Promise<readonly string[]> {
  return (await store.list(prefix)).entries.map((entry) => entry.key);
}

/** The next `count` batches of a watch. */
export async function takeChanges(
  store: Store,
  prefix: string,
  from: Revision,
  count: number,
): Promise<readonly (readonly StoreChange[])[]> {
  const batches: (readonly StoreChange[])[] = [];
  const { signal } = new AbortController();
  for await (const changes of store.watch(prefix, from, { signal })) {
    batches.push(changes);
    if (batches.length === count) break;
  }
  return batches;
}
