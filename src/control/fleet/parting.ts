// SPDX-License-Identifier: Apache-2.0
// How a node parts from its fleet that is told to end, as for an upgrade, and what its next life may count on: its containers run on,
// others go on showing them, and nobody is given what runs there once only.
import type { Entry, Store } from "#store/store.ts";
import { LEFT_MS } from "./left-for.ts";

const KEY = "node/left";
/** A store takes so many operations in one transaction; as many conditions count as well. */
const OPERATIONS_MAX = 50;

export interface PartingOptions {
  /** Id of this node. */
  readonly self: string;
  /** The node's own store. */
  readonly own: Pick<Store, "get" | "transact">;
  /** For how long the host has been up, milliseconds: a clock that nobody sets, and that the next life has too. */
  readonly hostUpMs: () => number;
}

export interface Parting {
  /** Hangs what this node has said on a lease of the fleet's store that outlives it, and notes that. Throws what the stores do. */
  leave(fleet: Store): Promise<void>;
  /** Reads what the life before this one has noted, once: a note is of one end. Throws what the store does. */
  recall(): Promise<void>;
  /** Whether that lease surely lives: nobody counts this node as lost. */
  readonly isAwaited: boolean;
}

/** Moves entries to a lease in one transaction, unless somebody has written one since: a next life of this node. False then. */
async function move(store: Store, lease: string, entries: readonly Entry[]): Promise<boolean> {
  const puts = entries.map(({ key, value }) => ({ kind: "put", key, value, lease }) as const);
  const conditions = entries.map(({ key, revision }) => ({ key, revision }));
  return (await store.transact(puts, conditions)) !== undefined;
}

/** Moves all that a node has said. False when others do not take it to be there by that. */
async function moveAll(store: Store, self: string, lease: string): Promise<boolean> {
  const offer = await store.get(`offers/${self}`);
  const isThere = offer !== undefined && (await move(store, lease, [offer]));
  const { entries } = await store.list(`reports/${self}/`);
  const count = Math.max(1, Math.min(OPERATIONS_MAX, Math.floor(store.operationsMax / 2)));
  for (let from = 0; from < entries.length; from += count)
    await move(store, lease, entries.slice(from, from + count));
  return isThere;
}

/** Makes it; nothing is read yet. */
export function createParting({ self, own, hostUpMs }: PartingOptions): Parting {
  let awaitedUntilMs = -Infinity;
  return {
    async leave(fleet) {
      const leftMs = hostUpMs();
      const { id: lease } = await fleet.grantLease(LEFT_MS);
      if (await moveAll(fleet, self, lease))
        await own.transact([{ kind: "put", key: KEY, value: leftMs }]);
    },
    async recall() {
      const entry = await own.get(KEY);
      if (entry === undefined) return;
      const leftMs = Number(entry.value);
      // Of a host that was up for longer then, as it has begun anew since, nothing runs on.
      if (leftMs <= hostUpMs()) awaitedUntilMs = leftMs + LEFT_MS;
      await own.transact([{ kind: "delete", key: KEY }]);
    },
    get isAwaited() {
      return hostUpMs() < awaitedUntilMs;
    },
  };
}
