// SPDX-License-Identifier: Apache-2.0
// What a graph is like, and where it would break.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { findCuts, groupMembers } from "./cuts.ts";
import { indexLinks } from "./links.ts";

/** Measures of a graph. Parts, cut points and bridges do not look at directions, ways do. */
export interface TopologyMetrics {
  readonly memberCount: number;
  readonly linkCount: number;
  /** Largest first, names sorted; more than one: some members cannot talk with others. */
  readonly components: readonly (readonly string[])[];
  /** False: there are too many ways to measure them all, and what is undefined below is not known. */
  readonly waysMeasured: boolean;
  /** Links of the longest of the shortest ways; undefined without members too. */
  readonly diameter: number | undefined;
  /** Ordered pairs without any way; known without direction in any case. */
  readonly unreachablePairs: number | undefined;
  /** Ordered pairs whose way is longer than `hopsMax`. */
  readonly pairsBeyondHops: number | undefined;
  /** Members whose loss would separate others: single points of failure. */
  readonly articulationPoints: readonly string[];
  /** Links whose loss would separate members. */
  readonly bridges: readonly TopologyLink[];
  readonly degree: { readonly min: number; readonly max: number; readonly mean: number };
  /** Neighbours of each member, in whatever direction. */
  readonly degrees: Readonly<Record<string, number>>;
}

/**
 * Links that are walked at most to measure ways, about 0.1 s; then the measures of all pairs are left out: a node does
 * nothing else meanwhile. A thousand members of degree 6 need 6 million.
 */
const STEPS_MAX = 10_000_000;

/** Lengths of the shortest ways between all pairs. */
interface Ways {
  readonly diameter: number;
  /** Ordered pairs with a way, members with themselves among them, and those whose way is not too long. */
  readonly reached: number;
  readonly within: number;
}

/** Walks from every member, each place once; undefined when that takes more than `stepsMax`. */
function measureWays(
  out: readonly (readonly number[])[],
  hopsMax: number,
  stepsMax: number,
): Ways | undefined {
  let [diameter, reached, within, steps] = [0, 0, 0, 0];
  const distances = new Int32Array(out.length);
  const queue = new Int32Array(out.length);
  for (let start = 0; start < out.length; start++) {
    distances.fill(-1);
    distances[start] = 0;
    queue[0] = start;
    let found = 1;
    // Once everybody is found, nobody else can be.
    for (let at = 0; at < found && found < out.length; at++) {
      const place = queue[at] ?? 0;
      const near = out[place] ?? [];
      const distance = (distances[place] ?? 0) + 1;
      steps += near.length + 1;
      for (const next of near) {
        if (distances[next] !== -1) continue;
        distances[next] = distance;
        queue[found++] = next;
      }
    }
    steps += found;
    if (steps > stepsMax) return undefined;
    // They were found in the order of their distances.
    diameter = Math.max(diameter, distances[queue[found - 1] ?? start] ?? 0);
    reached += found;
    for (let at = 0; at < found && (distances[queue[at] ?? 0] ?? 0) <= hopsMax; at++) within++;
  }
  return { diameter, reached, within };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Ordered pairs without a way. Without direction that follows from the parts. */
function countUnreachable(
  graph: TopologyGraph,
  components: readonly (readonly string[])[],
  ways: Ways | undefined,
): number | undefined {
  const pairs = graph.members.length ** 2;
  if (graph.directed) return ways === undefined ? undefined : pairs - ways.reached;
  return pairs - sum(components.map((part) => part.length ** 2));
}

/** Measures a graph in O(members · links), at most `stepsMax` of it for ways; all else is linear. */
export function measureTopology(graph: TopologyGraph, stepsMax = STEPS_MAX): TopologyMetrics {
  const count = graph.members.length;
  const near = indexLinks(graph, false);
  const ways = measureWays(graph.directed ? indexLinks(graph) : near, graph.hopsMax, stepsMax);
  const components = groupMembers(graph, near);
  const sizes = near.map((each) => each.length);
  return {
    memberCount: count,
    linkCount: graph.links.length,
    components,
    waysMeasured: ways !== undefined,
    diameter: count === 0 ? undefined : ways?.diameter,
    unreachablePairs: countUnreachable(graph, components, ways),
    pairsBeyondHops: ways === undefined ? undefined : ways.reached - ways.within,
    ...findCuts(graph, near),
    degree: {
      min: sizes.reduce((least, size) => Math.min(least, size), sizes[0] ?? 0),
      max: sizes.reduce((most, size) => Math.max(most, size), 0),
      mean: count === 0 ? 0 : sum(sizes) / count,
    },
    degrees: Object.fromEntries(graph.members.map((name, i) => [name, sizes[i] ?? 0])),
  };
}
