// SPDX-License-Identifier: Apache-2.0
// The lives of a node, which are counted so that others tell its word from that of a life before. The roll knows the last
// one; a roll that was lost does not, and the clock may have been set back since: so the node keeps it too.
import type { Store } from "#store/store.ts";

const LIFE_KEY = "node/life";

/** A node's own store, as far as its lives need it. */
export type LifeStore = Pick<Store, "get" | "transact">;

/** The incarnation of this node's last life; 0 when it knows of none. */
export async function readLastLife(store: LifeStore): Promise<number> {
  const value = (await store.get(LIFE_KEY))?.value;
  return typeof value === "number" ? value : 0;
}

/** Keeps the incarnation of the life that has begun. Throws what the store throws. */
export async function keepLife(store: LifeStore, incarnation: number): Promise<void> {
  await store.transact([{ kind: "put", key: LIFE_KEY, value: incarnation }]);
}
