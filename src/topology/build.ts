// SPDX-License-Identifier: Apache-2.0
// From what an owner declares to who may talk to whom.
import type {
  DeclarationOf,
  TopologyDeclaration,
  TopologyGraph,
} from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import { topologyErrors } from "./errors.ts";
import { LinkSet } from "./links.ts";
import { sortMembers } from "./member.ts";
import type { Member } from "./member.ts";
import { linkMesh } from "./mesh.ts";
import { linkRound, orderRound } from "./ring.ts";
import { linkStar } from "./star.ts";
import { linkTree } from "./tree.ts";

/** Links, and the member in their middle where there is one. */
export interface Shape {
  readonly links: LinkSet;
  readonly hub?: string | undefined;
}

/** The graph of a shape. `members` sorted by name. */
export function finishGraph(
  declaration: TopologyDeclaration,
  members: readonly Member[],
  { links, hub }: Shape,
): TopologyGraph {
  return {
    kind: declaration.kind,
    directed: links.directed,
    members: members.map(({ name }) => name),
    links: links.list(),
    ...(hub === undefined ? {} : { hub }),
    relay: declaration.relay,
    hopsMax: declaration.hopsMax,
  };
}

/** The declared links of members that are there; the others wait for theirs. Throws `self-link`. */
function linkCustom(
  { links, directed }: DeclarationOf<"custom">,
  members: readonly Member[],
): LinkSet {
  const names = new Set(members.map(({ name }) => name));
  const own = links.find(({ from, to }) => from === to);
  if (own !== undefined)
    throw new FairleadError(topologyErrors["self-link"], `${own.from} is linked to itself`);
  const there = links.filter(({ from, to }) => names.has(from) && names.has(to));
  return new LinkSet(directed, there);
}

/** The links of a declaration from nothing. `members` sorted by name. */
export function shapeTopology(declaration: TopologyDeclaration, members: readonly Member[]): Shape {
  switch (declaration.kind) {
    case "star":
      return linkStar(members, declaration.hub);
    case "ring":
      return { links: linkRound(orderRound(members), declaration.directed) };
    case "mesh":
      return {
        links: linkMesh(
          members.map(({ name }) => name),
          declaration.degree,
        ),
      };
    case "tree": {
      const { links, root } = linkTree(members, declaration.root, declaration.fanout);
      return { links, hub: root };
    }
    case "custom":
      return { links: linkCustom(declaration, members) };
  }
}

/**
 * The graph of a declaration over its members, the same in whatever order they come. Throws `duplicate-member`,
 * `bad-member-name` and `self-link`.
 */
export function buildTopology(
  declaration: TopologyDeclaration,
  members: readonly Member[],
): TopologyGraph {
  const sorted = sortMembers(members);
  return finishGraph(declaration, sorted, shapeTopology(declaration, sorted));
}
