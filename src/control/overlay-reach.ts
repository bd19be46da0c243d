// SPDX-License-Identifier: Apache-2.0
// Which addresses on other hosts packets of this host's instances find: those whose entries are in the kernel already. Names
// wait for it, so that nobody is told of what does not answer yet.
import type { OverlayAttachment } from "#network/overlay.ts";

export interface OverlayReach {
  /** Whether the entries for an address on another host are in place. */
  reaches(address: string): boolean;
  /** Calls `listener` when that has changed; returns the function that ends it. */
  onReach(listener: () => void): () => void;
  /** The networks of this host are so now. */
  note(wanted: readonly OverlayAttachment[]): void;
}

/** Nothing is reached before the first note. `host`: the address of this host. */
export function createOverlayReach(host: string): OverlayReach {
  const listeners = new Set<() => void>();
  let reached: ReadonlySet<string> = new Set();
  return {
    reaches: (address) => reached.has(address),
    onReach(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    note(wanted) {
      const endpoints = wanted.flatMap((one) => one.endpoints).filter((one) => one.host !== host);
      const next = new Set(endpoints.flatMap(({ addresses }) => addresses));
      const isSame = next.size === reached.size && next.isSubsetOf(reached);
      reached = next;
      if (!isSame) for (const listener of listeners) listener();
    },
  };
}
