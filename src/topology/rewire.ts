// SPDX-License-Identifier: Apache-2.0
// What changes when agents join, leave or die: as few links as the shape allows, and why.
import type {
  TopologyDeclaration,
  TopologyGraph,
  TopologyLink,
} from "@fairlead/protocol/topology.ts";
import { finishGraph, shapeTopology } from "./build.ts";
import type { Shape } from "./build.ts";
import { diffLinks, keepLinks, LinkSet } from "./links.ts";
import { sortMembers } from "./member.ts";
import type { Member } from "./member.ts";
import { isMendable, mendMesh } from "./mesh.ts";
import { linkRound, mendRound, readRound } from "./ring.ts";
import { linkStar } from "./star.ts";
import { mendTree } from "./tree.ts";

/** A rewiring, for a decision record: what it changes and the reason in a sentence. */
export interface Rewiring {
  readonly graph: TopologyGraph;
  readonly added: readonly TopologyLink[];
  readonly removed: readonly TopologyLink[];
  readonly joined: readonly string[];
  /** Members that are gone. */
  readonly left: readonly string[];
  readonly reason: string;
  /** The hub or root, when it is another one than before. */
  readonly hub?: string;
}

/** The shape kept as far as it can be; undefined when the links before were not of the declared shape. */
function mendShape(
  before: TopologyGraph,
  declaration: TopologyDeclaration,
  members: readonly Member[],
): Shape | undefined {
  if (before.kind !== declaration.kind) return undefined;
  const names = members.map(({ name }) => name);
  switch (declaration.kind) {
    case "star":
      return linkStar(members, declaration.hub, before.hub);
    case "ring": {
      const round = before.directed === declaration.directed ? readRound(before) : undefined;
      if (round === undefined) return undefined;
      return { links: linkRound(mendRound(round, members), declaration.directed) };
    }
    case "mesh": {
      const links = keepLinks(before, new Set(names));
      if (!isMendable(links, names, declaration.degree)) return undefined;
      return { links: mendMesh(links, names, declaration.degree) };
    }
    case "tree": {
      const old = { links: new LinkSet(false, before.links), root: before.hub };
      const tree = mendTree(old, members, declaration.root, declaration.fanout);
      return tree === undefined ? undefined : { links: tree.links, hub: tree.root };
    }
    case "custom":
      return shapeTopology(declaration, members);
  }
}

const NAMED_MAX = 3;

function nameSome(names: readonly string[]): string {
  const named = names.slice(0, NAMED_MAX).join(", ");
  return names.length <= NAMED_MAX ? named : `${named} and ${names.length - NAMED_MAX} more`;
}

function describeMembers(joined: readonly string[], left: readonly string[]): string {
  const parts = [
    ...(left.length === 0 ? [] : [`${nameSome(left)} ${left.length === 1 ? "is" : "are"} gone`]),
    ...(joined.length === 0 ? [] : [`${nameSome(joined)} joined`]),
  ];
  return parts.length === 0 ? "the declaration has changed" : parts.join(", ");
}

/** What the shape does about it, in words. */
function describeAct(before: TopologyGraph, graph: TopologyGraph, left: readonly string[]): string {
  const { hub } = graph;
  if (hub !== undefined && hub !== before.hub)
    return `${hub} becomes the ${graph.kind === "tree" ? "root" : "hub"}`;
  if (graph.members.length === 0) return "nobody is left";
  switch (graph.kind) {
    case "star":
      return `links with the hub ${hub ?? ""} follow`;
    case "ring":
      return left.length > 0 ? "the ring closes" : "the ring opens for them";
    case "mesh":
      return "the mesh keeps its degree";
    case "tree":
      return left.length > 0 ? "orphans hang elsewhere" : "they hang where there is room";
    case "custom":
      return "declared links between present members hold";
  }
}

/**
 * The graph after agents have joined, left or died, or the declaration has changed, with the links that differ.
 * Running it on its own result changes nothing. Throws as `buildTopology`.
 */
export function rewire(
  before: TopologyGraph,
  declaration: TopologyDeclaration,
  members: readonly Member[],
): Rewiring {
  const sorted = sortMembers(members);
  const mended = mendShape(before, declaration, sorted);
  const graph = finishGraph(declaration, sorted, mended ?? shapeTopology(declaration, sorted));
  const [old, now] = [new Set(before.members), new Set(graph.members)];
  const joined = graph.members.filter((name) => !old.has(name));
  const left = before.members.filter((name) => !now.has(name));
  const { added, removed } = diffLinks(before, graph);
  const why = describeMembers(joined, left);
  const isSame = joined.length + left.length + added.length + removed.length === 0;
  const act =
    mended === undefined
      ? `links are made anew as a ${declaration.kind}`
      : describeAct(before, graph, left);
  return {
    graph,
    added,
    removed,
    joined,
    left,
    reason: isSame ? "nothing has changed" : `${why}: ${act}`,
    ...(graph.hub === undefined || graph.hub === before.hub ? {} : { hub: graph.hub }),
  };
}
