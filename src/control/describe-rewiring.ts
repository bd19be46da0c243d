// SPDX-License-Identifier: Apache-2.0
// Rewirings as decisions have them.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Rewiring } from "#topology/rewire.ts";

/** Names and links that a decision lists; the counts say how many there are. */
const LISTED_MAX = 20;

function listNames(names: readonly string[]): string {
  return names.slice(0, LISTED_MAX).join(" ") || "none";
}

function listLinks(links: readonly TopologyLink[]): string {
  return listNames(links.map(({ from, to }) => `${from}..${to}`));
}

function name({ kind }: TopologyGraph): string {
  return kind === "custom" ? "custom topology" : kind;
}

/** That a scope is wired anew. */
export function describeRewiring(
  scope: string,
  rewiring: Rewiring,
  actor: string,
  nowMs: number,
): PlannedAction {
  const { graph, added, removed, joined, left, reason } = rewiring;
  return {
    key: `topology/${scope}`,
    act: "topology.rewire",
    object: `topology/${scope}`,
    title: `wired ${graph.members.length} agents as a ${name(graph)}`,
    trigger: { kind: actor === "automatic" ? "members" : "person", detail: reason, atMs: nowMs },
    rule: { text: `topology ${graph.kind}` },
    inputs: {
      members: graph.members.length,
      links: graph.links.length,
      joined: listNames(joined),
      left: listNames(left),
      added: listLinks(added),
      removed: listLinks(removed),
      ...(rewiring.hub === undefined ? {} : { hub: rewiring.hub }),
    },
    notDone: [],
  };
}

/** That a scope has no topology any more. */
export function describeRemoval(
  scope: string,
  graph: TopologyGraph,
  actor: string,
  nowMs: number,
): PlannedAction {
  return {
    key: `topology/${scope}`,
    act: "topology.remove",
    object: `topology/${scope}`,
    title: `let ${graph.members.length} agents talk freely: the ${name(graph)} was removed`,
    trigger: { kind: "person", detail: `${actor} removed the topology`, atMs: nowMs },
    rule: { text: "without a topology everybody may talk to everybody" },
    inputs: { members: graph.members.length, links: graph.links.length },
    notDone: [],
  };
}
