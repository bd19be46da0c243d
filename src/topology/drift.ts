// SPDX-License-Identifier: Apache-2.0
// Declared links beside what was seen on them.
import type {
  ObservedLink,
  TopologyDrift,
  TopologyGraph,
  TopologyLink,
} from "@fairlead/protocol/topology.ts";
import { LinkSet } from "./links.ts";
import { compareNames } from "./member.ts";

/** Links between others, each once: without direction both ways are one, the lesser name first. Sorted. */
function joinWays(observed: readonly ObservedLink[], directed: boolean): readonly ObservedLink[] {
  const seen = new Map<string, ObservedLink>();
  for (const link of observed) {
    if (link.from === link.to) continue;
    const isInOrder = directed || link.from < link.to;
    const [from, to] = isInOrder ? [link.from, link.to] : [link.to, link.from];
    const key = `${from} ${to}`;
    const { used = 0, refused = 0, lastSeenMs = 0 } = seen.get(key) ?? {};
    seen.set(key, {
      from,
      to,
      used: used + link.used,
      refused: refused + link.refused,
      lastSeenMs: Math.max(lastSeenMs, link.lastSeenMs),
    });
  }
  return [...seen.values()].sort(
    (a, b) => compareNames(a.from, b.from) || compareNames(a.to, b.to),
  );
}

export interface DriftOptions {
  /** Agents that do not tell whom they talk to: that nothing was seen of them is not that there was nothing. */
  readonly silent?: readonly string[];
  /** When the links became as they are, milliseconds since 1970: what was seen until then may have been declared. */
  readonly declaredAtMs?: number;
}

/**
 * Compares a graph with what was observed. What an agent sends itself is no link, and agents that are no members may talk
 * to everyone.
 */
export function compareDrift(
  graph: TopologyGraph,
  observed: readonly ObservedLink[],
  { silent = [], declaredAtMs = 0 }: DriftOptions = {},
): TopologyDrift {
  const members = new Set(graph.members);
  const all = joinWays(observed, graph.directed).filter(
    ({ from, to }) => members.has(from) && members.has(to),
  );
  const declared = new LinkSet(graph.directed, graph.links);
  const inUse = all.filter(({ used }) => used > 0);
  const seen = new Set(inUse.map(({ from, to }) => `${from} ${to}`));
  const unseen = graph.links.filter(({ from, to }) => !seen.has(`${from} ${to}`));
  const quiet = new Set(silent);
  const isUnknown = ({ from, to }: TopologyLink): boolean =>
    quiet.has(from) || (!graph.directed && quiet.has(to));
  return {
    used: inUse.filter(({ from, to }) => declared.has(from, to)),
    undeclared: inUse.filter(
      ({ from, to, lastSeenMs }) => lastSeenMs > declaredAtMs && !declared.has(from, to),
    ),
    unused: unseen.filter((link) => !isUnknown(link)),
    unknown: unseen.filter(isUnknown),
    refused: all.filter(({ refused }) => refused > 0),
  };
}
