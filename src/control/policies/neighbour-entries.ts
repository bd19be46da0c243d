// SPDX-License-Identifier: Apache-2.0
// Instances as the fleet's store has them for policies on other hosts: each node writes its own.
//
//   policy-at/NODE/INSTANCE     kept without a lease, since a host that is cut off goes on
import { isDeepStrictEqual } from "node:util";
import { PolicyProtocol } from "@fairlead/protocol/policy.ts";
import { z } from "zod";
import type { PolicyInstance } from "#policy/world.ts";
import type { StoreOperation } from "#store/store.ts";

/** Before the id of a node. */
export const NEIGHBOUR_PREFIX = "policy-at/";

const NeighbourEntry = z.object({
  name: z.string(),
  scope: z.string(),
  service: z.string(),
  labels: z.record(z.string(), z.string()),
  addresses: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), protocol: PolicyProtocol, port: z.number() })),
});
type NeighbourEntry = z.infer<typeof NeighbourEntry>;

const keyOf = (node: string, id: string): string => `${NEIGHBOUR_PREFIX}${node}/${id}`;

/** All that nodes have written. */
export interface NeighbourBook {
  /** Instances of all nodes but this one. An instance that has not changed is the same object. */
  list(): readonly PolicyInstance[];
  /** Takes an entry, or that it is gone; true when anything is different now. What cannot be read counts as gone. */
  take(change: { readonly key: string; readonly value?: unknown }): boolean;
  clear(): void;
  /** What to write so that of a node there are these instances and no others. */
  plan(node: string, wanted: readonly PolicyInstance[]): readonly StoreOperation[];
  /** What this node has written of itself. */
  listOwn(): readonly PolicyInstance[];
  /** Nodes that have written anything. */
  listNodes(): readonly string[];
}

/** An empty book of the node `self`. */
export function createNeighbourBook(self: string): NeighbourBook {
  /** By node, by instance. */
  const nodes = new Map<string, Map<string, PolicyInstance>>();
  let listed: readonly PolicyInstance[] | undefined;
  const ofNode = (node: string): ReadonlyMap<string, PolicyInstance> =>
    nodes.get(node) ?? new Map();

  return {
    list() {
      listed ??= [...nodes].flatMap(([node, own]) => (node === self ? [] : [...own.values()]));
      return listed;
    },
    take({ key, value }) {
      const [, node = "", id = ""] = key.split("/");
      const own = nodes.get(node) ?? new Map<string, PolicyInstance>();
      const entry = NeighbourEntry.safeParse(value).data;
      const before = own.get(id);
      const next = entry === undefined ? undefined : { id, ...entry };
      if (isDeepStrictEqual(before, next)) return false;
      if (next === undefined) own.delete(id);
      else own.set(id, next);
      if (own.size === 0) nodes.delete(node);
      else nodes.set(node, own);
      listed = undefined;
      return true;
    },
    clear() {
      nodes.clear();
      listed = undefined;
    },
    plan(node, wanted) {
      const there = ofNode(node);
      const ids = new Set(wanted.map(({ id }) => id));
      const gone = [...there.keys()].filter((id) => !ids.has(id));
      const news = wanted.filter((one) => !isDeepStrictEqual(there.get(one.id), one));
      return [
        ...gone.map((id): StoreOperation => ({ kind: "delete", key: keyOf(node, id) })),
        ...news.map(({ id, ...value }): StoreOperation => ({
          kind: "put",
          key: keyOf(node, id),
          value: value satisfies NeighbourEntry | Omit<PolicyInstance, "id">,
        })),
      ];
    },
    listOwn: () => [...ofNode(self).values()],
    listNodes: () => [...nodes.keys()],
  };
}
