// SPDX-License-Identifier: Apache-2.0
// The certificates of a fleet's nodes as this node knows them.
import { z } from "zod";
import type { Clock } from "#base/clock.ts";
import { readShared } from "#control/read-shared.ts";
import { NODE_CERTIFICATES } from "#control/roll-entries.ts";
import type { StoreChange } from "#store/store.ts";

/** A node's certificate as all nodes know it. */
export const NodeCertificate = z.strictObject({
  name: z.string(),
  uri: z.string(),
  serial: z.string(),
  keyHash: z.string(),
  notAfterMs: z.number(),
  /** Who has to be believed for it, PEM, where that is not the fleet's own authority. */
  roots: z.array(z.string()).optional(),
});
export type NodeCertificate = z.infer<typeof NodeCertificate>;

export interface KnownNodes {
  get(id: string): NodeCertificate | undefined;
  list(): readonly NodeCertificate[];
  set(id: string, certificate: NodeCertificate): void;
  /** Takes what the store says at a key; of other keys nothing is taken. */
  take(change: Pick<StoreChange, "key" | "value">): void;
  /** Notes who is not among the keys of the store any more: believed for a while longer, since the store may have lost everything. */
  noteMissing(keys: readonly string[]): void;
  isMissing(id: string): boolean;
  /** Forgets who has been missing for long; true when there was somebody. */
  forgetMissing(): boolean;
  /** Id of the node with that key. */
  findByKey(keyHash: string): string | undefined;
}

/** What the store does not have any more when it comes back is believed for so long: it may have lost everything. */
const LOST_MS = 10_000;

/** Begins without any. */
export function createKnownNodes(clock: Pick<Clock, "monotonicMs">): KnownNodes {
  const nodes = new Map<string, NodeCertificate>();
  const missing = new Map<string, number>();
  return {
    get: (id) => nodes.get(id),
    list: () => [...nodes.values()],
    set(id, certificate) {
      nodes.set(id, certificate);
      missing.delete(id);
    },
    take({ key, value }) {
      if (!key.startsWith(NODE_CERTIFICATES)) return;
      const id = key.slice(NODE_CERTIFICATES.length);
      const read = readShared(NodeCertificate, value);
      missing.delete(id);
      if (read === undefined) nodes.delete(id);
      else nodes.set(id, read);
    },
    noteMissing(keys) {
      const present = new Set(keys.map((key) => key.slice(NODE_CERTIFICATES.length)));
      for (const id of nodes.keys())
        if (present.has(id)) missing.delete(id);
        else if (!missing.has(id)) missing.set(id, clock.monotonicMs());
    },
    isMissing: (id) => missing.has(id),
    forgetMissing() {
      const before = clock.monotonicMs() - LOST_MS;
      const lost = [...missing].filter(([, sinceMs]) => sinceMs <= before);
      for (const [id] of lost) {
        missing.delete(id);
        nodes.delete(id);
      }
      return lost.length > 0;
    },
    findByKey: (keyHash) => [...nodes].find(([, known]) => known.keyHash === keyHash)?.[0],
  };
}
