// SPDX-License-Identifier: Apache-2.0
import type { Store, StoreOperation } from "#store/store.ts";
import { LEFT_MS } from "./left-for.ts";

/** A store takes so many operations in one transaction; as many conditions count as well. */
const OPERATIONS_MAX = 50;

/**
 * Hangs what a node that ends has said on a lease that outlives it: its containers run on, and others go on showing them, until it says
 * again how they stand or counts as gone. Throws what the store does.
 */
export async function leaveBehind(store: Store, prefix: string): Promise<void> {
  const { entries } = await store.list(prefix);
  if (entries.length === 0) return;
  const { id: lease } = await store.grantLease(LEFT_MS);
  const count = Math.max(1, Math.min(OPERATIONS_MAX, Math.floor(store.operationsMax / 2)));
  for (let from = 0; from < entries.length; from += count) {
    const part = entries.slice(from, from + count);
    const puts = part.map(({ key, value }): StoreOperation => ({ kind: "put", key, value, lease }));
    // What has changed since somebody else has written: a next life of this node.
    await store.transact(
      puts,
      part.map(({ key, revision }) => ({ key, revision })),
    );
  }
}
