// SPDX-License-Identifier: Apache-2.0
// How the nodes of a fleet tell each other what is declared in a scope and how its agents are wired.
import { AgentName, Locality } from "@fairlead/protocol/agent.ts";
import { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import { z } from "zod";
import { buildTopology } from "#topology/build.ts";
import { packGraph, PackedGraph, unpackGraph } from "#topology/pack.ts";
import type { Wired } from "./kept-topologies.ts";
import { TopologyStamp } from "./topology-stamp.ts";

/** What a node knows of a scope; without a declaration: that there is none any more. */
export interface ToldTopology {
  readonly stamp: TopologyStamp;
  readonly wired: Wired | undefined;
}

const PREFIX = "topology/";

const Told = z.object({
  stamp: TopologyStamp,
  declaration: TopologyDeclaration.optional(),
  wiring: PackedGraph.optional(),
  /** In place of a wiring with too many links to be sent: everybody makes that anew. */
  members: z
    .array(z.strictObject({ name: AgentName, locality: Locality, joinedAtMs: z.number() }))
    .optional(),
});

/** The key under which a scope is told. */
export function keyOfTold(scope: string): string {
  return PREFIX + scope;
}

/** The scope that is told under a key; undefined when something else is. */
export function scopeOfTold(key: string): string | undefined {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined;
}

/** What is sent. */
export function describeTold({ stamp, wired }: ToldTopology): unknown {
  if (wired === undefined) return { stamp };
  const { declaration, graph, members } = wired;
  const wiring = packGraph(graph, members);
  return { stamp, declaration, ...(wiring === undefined ? { members } : { wiring }) };
}

/** What was received; undefined when it cannot be read. */
export function readTold(value: unknown): ToldTopology | undefined {
  const parsed = Told.safeParse(value);
  if (!parsed.success) return undefined;
  const { stamp, declaration, wiring, members = [] } = parsed.data;
  if (declaration === undefined) return { stamp, wired: undefined };
  const graph = wiring === undefined ? undefined : unpackGraph(wiring);
  if (graph !== undefined) return { stamp, wired: { declaration, ...graph } };
  return { stamp, wired: { declaration, graph: buildTopology(declaration, members), members } };
}
