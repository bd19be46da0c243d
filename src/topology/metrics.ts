// SPDX-License-Identifier: Apache-2.0
// What a graph is like, and where it would break.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { findArticulationPoints, findBridges, groupMembers } from "./cuts.ts";
import { indexLinks } from "./links.ts";

/** Measures of a graph. Parts, cut points and bridges do not look at directions, ways do. */
export interface TopologyMetrics {
  readonly memberCount: number;
  readonly linkCount: number;
  /** Largest first, names sorted; more than one: some members cannot talk with others. */
  readonly components: readonly (readonly string[])[];
  /** Links of the longest of the shortest ways; undefined without members. */
  readonly diameter: number | undefined;
  /** Ordered pairs without any way. */
  readonly unreachablePairs: number;
  /** Ordered pairs whose way is longer than `hopsMax`. */
  readonly pairsBeyondHops: number;
  /** Members whose loss would separate others: single points of failure. */
  readonly articulationPoints: readonly string[];
  /** Links whose loss would separate members. */
  readonly bridges: readonly TopologyLink[];
  readonly degree: { readonly min: number; readonly max: number; readonly mean: number };
  /** Neighbours of each member, in whatever direction. */
  readonly degrees: Readonly<Record<string, number>>;
}

/** How many members are at each distance from one, by distance; 0 is itself. */
function countByDistance(out: readonly (readonly number[])[], start: number): number[] {
  const distances = new Int32Array(out.length).fill(-1);
  distances[start] = 0;
  const counts: number[] = [];
  const queue = [start];
  for (const at of queue) {
    const distance = distances[at] ?? 0;
    counts[distance] = (counts[distance] ?? 0) + 1;
    for (const next of out[at] ?? []) {
      if (distances[next] !== -1) continue;
      distances[next] = distance + 1;
      queue.push(next);
    }
  }
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Measures a graph in O(members · links). */
export function measureTopology(graph: TopologyGraph): TopologyMetrics {
  const out = indexLinks(graph);
  const count = out.length;
  let [diameter, reached, within] = [0, 0, 0];
  for (let start = 0; start < count; start++) {
    const counts = countByDistance(out, start);
    diameter = Math.max(diameter, counts.length - 1);
    reached += sum(counts);
    within += sum(counts.slice(0, graph.hopsMax + 1));
  }
  const sizes = indexLinks(graph, false).map((near) => near.length);
  return {
    memberCount: count,
    linkCount: graph.links.length,
    components: groupMembers(graph),
    diameter: count === 0 ? undefined : diameter,
    unreachablePairs: count * count - reached,
    pairsBeyondHops: reached - within,
    articulationPoints: findArticulationPoints(graph),
    bridges: findBridges(graph),
    degree: {
      min: sizes.reduce((least, size) => Math.min(least, size), sizes[0] ?? 0),
      max: sizes.reduce((most, size) => Math.max(most, size), 0),
      mean: count === 0 ? 0 : sum(sizes) / count,
    },
    degrees: Object.fromEntries(graph.members.map((name, i) => [name, sizes[i] ?? 0])),
  };
}
