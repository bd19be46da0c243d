// SPDX-License-Identifier: Apache-2.0
// Topologies as the store keeps them: what was declared, and how the agents were wired when the node last looked. So a
// node that starts holds its agents to the links that they had, before the first of them has joined again.
import { TopologyDeclaration, type TopologyGraph } from "@fairlead/protocol/topology.ts";
import type { Logger } from "#base/logger.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { buildTopology } from "#topology/build.ts";
import type { Member } from "#topology/member.ts";
import { packGraph, PackedGraph, unpackGraph } from "#topology/pack.ts";
import { TopologyStamp } from "./topology-stamp.ts";

const DECLARED = "topology/";
const WIRED = "wiring/";
/** Of scopes without a topology too: that it was removed is known from this. */
const STAMPED = "topology-stamp/";

/** A scope's topology with the members that it was made for. */
export interface Wired {
  readonly declaration: TopologyDeclaration;
  readonly graph: TopologyGraph;
  /** Those of the graph, sorted by name. */
  readonly members: readonly Member[];
}

/** What keeps how a scope is wired. */
export function keepWiring(scope: string, { graph, members }: Wired): StoreOperation {
  const value = packGraph(graph, members);
  const key = WIRED + scope;
  return value === undefined ? { kind: "delete", key } : { kind: "put", key, value };
}

/** What keeps how new a scope's state is. */
export function keepStamp(scope: string, value: TopologyStamp): StoreOperation {
  return { kind: "put", key: STAMPED + scope, value };
}

/** What keeps a declaration and how the scope is wired. */
export function keepTopology(scope: string, wired: Wired): readonly StoreOperation[] {
  const value = wired.declaration;
  return [{ kind: "put", key: DECLARED + scope, value }, keepWiring(scope, wired)];
}

/** What forgets both. */
export function forgetTopology(scope: string): readonly StoreOperation[] {
  return [DECLARED, WIRED].map((prefix) => ({ kind: "delete", key: prefix + scope }));
}

/** What the store has, by scope. What cannot be read is told to the logger and left out. */
export async function loadTopologies(
  store: Store,
  logger: Logger,
): Promise<ReadonlyMap<string, Wired>> {
  const { entries } = await store.list(DECLARED);
  const wirings = new Map((await store.list(WIRED)).entries.map(({ key, value }) => [key, value]));
  const found = new Map<string, Wired>();
  for (const { key, value } of entries) {
    const declaration = TopologyDeclaration.safeParse(value).data;
    const scope = key.slice(DECLARED.length);
    if (declaration === undefined) {
      logger.error("a topology of the store cannot be read", { scope });
      continue;
    }
    const packed = PackedGraph.safeParse(wirings.get(WIRED + scope)).data;
    const wired = packed === undefined ? undefined : unpackGraph(packed);
    found.set(scope, {
      declaration,
      ...(wired ?? { graph: buildTopology(declaration, []), members: [] }),
    });
  }
  return found;
}

/** How new what the store has is, by scope; scopes whose topology was removed are among them. */
export async function loadStamps(store: Store): Promise<ReadonlyMap<string, TopologyStamp>> {
  const stamps = new Map<string, TopologyStamp>();
  for (const { key, value } of (await store.list(STAMPED)).entries) {
    const stamp = TopologyStamp.safeParse(value).data;
    if (stamp !== undefined) stamps.set(key.slice(STAMPED.length), stamp);
  }
  return stamps;
}
