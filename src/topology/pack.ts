// SPDX-License-Identifier: Apache-2.0
// A graph as it is kept over a restart: names once, links as places among them.
import { AgentName, Locality } from "@fairlead/protocol/agent.ts";
import { TopologyGraph, type TopologyLink } from "@fairlead/protocol/topology.ts";
import { z } from "zod";
import type { Member } from "./member.ts";

/** Links above which a graph is not kept: about 4 MB. */
export const PACKED_LINKS_MAX = 300_000;

const place = z.number().int().min(0);

/** A graph with its members, small enough for one value of a store. */
export const PackedGraph = TopologyGraph.omit({ members: true, links: true }).extend({
  /** Sorted by name, as `Member` has them. */
  members: z.array(z.strictObject({ name: AgentName, locality: Locality, joinedAtMs: z.number() })),
  /** Places among the members, two for each link. */
  links: z.array(place).max(2 * PACKED_LINKS_MAX),
});
export type PackedGraph = z.infer<typeof PackedGraph>;

/** Packs a graph; `members` are those of the graph. Undefined when it has too many links to be kept. */
export function packGraph(
  graph: TopologyGraph,
  members: readonly Member[],
): PackedGraph | undefined {
  if (graph.links.length > PACKED_LINKS_MAX) return undefined;
  const places = new Map(members.map(({ name }, i) => [name, i]));
  const links = graph.links.flatMap(({ from, to }) => {
    const pair = [places.get(from), places.get(to)];
    return pair.filter((each) => each !== undefined);
  });
  return { ...graph, members: members.map((member) => ({ ...member })), links };
}

/** The graph and its members; undefined when links lead to nobody. */
export function unpackGraph(
  packed: PackedGraph,
): { readonly graph: TopologyGraph; readonly members: readonly Member[] } | undefined {
  const { members } = packed;
  const links: TopologyLink[] = [];
  for (let i = 0; i < packed.links.length; i += 2) {
    const from = members[packed.links[i] ?? -1]?.name;
    const to = members[packed.links[i + 1] ?? -1]?.name;
    if (from === undefined || to === undefined) return undefined;
    links.push({ from, to });
  }
  return { graph: { ...packed, members: members.map(({ name }) => name), links }, members };
}
