// SPDX-License-Identifier: Apache-2.0
// Declared links beside what was seen to flow.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { LinkSet } from "./links.ts";
import { compareNames } from "./member.ts";

/** Messages that were seen to flow from one to another, not counting those handed on. */
export interface ObservedLink extends TopologyLink {
  readonly count: number;
}

/** How observed links differ from declared ones. Both lists sorted; without direction each link once. */
export interface TopologyDrift {
  /** Declared, nothing seen. */
  readonly missing: readonly TopologyLink[];
  /** Seen, not declared: with the messages seen. Links of strangers are among them. */
  readonly unexpected: readonly ObservedLink[];
  /** Declared and seen. */
  readonly used: readonly ObservedLink[];
  readonly missingCount: number;
  readonly unexpectedCount: number;
  /** Messages on links that are not declared. */
  readonly unexpectedMessages: number;
}

/** Compares a graph with what was observed. What flows from a member to itself is no link; counts of 0 are not seen. */
export function compareDrift(
  graph: TopologyGraph,
  observed: readonly ObservedLink[],
): TopologyDrift {
  const seen = new Map<string, ObservedLink>();
  for (const { from, to, count } of observed) {
    if (from === to || count <= 0) continue;
    const [first, second] = graph.directed || from < to ? [from, to] : [to, from];
    const key = `${first} ${second}`;
    seen.set(key, { from: first, to: second, count: count + (seen.get(key)?.count ?? 0) });
  }
  const declared = new LinkSet(graph.directed, graph.links);
  const all = [...seen.values()].sort(
    (a, b) => compareNames(a.from, b.from) || compareNames(a.to, b.to),
  );
  const unexpected = all.filter(({ from, to }) => !declared.has(from, to));
  const missing = graph.links.filter(({ from, to }) => !seen.has(`${from} ${to}`));
  return {
    missing,
    unexpected,
    used: all.filter(({ from, to }) => declared.has(from, to)),
    missingCount: missing.length,
    unexpectedCount: unexpected.length,
    unexpectedMessages: unexpected.reduce((sum, { count }) => sum + count, 0),
  };
}
