// SPDX-License-Identifier: Apache-2.0
// Parts of a graph, and where it would fall apart (Tarjan, without recursion: a ring of 100,000 is as deep as it is long).
// The direction of links does not count here.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { indexLinks } from "./links.ts";

type Links = Pick<TopologyGraph, "directed" | "members" | "links">;

/** For each member the places of its neighbours, in whatever direction: `indexLinks(graph, false)`. */
type Near = readonly (readonly number[])[];

/** Members that can reach each other, largest part first, names sorted. */
export function groupMembers(
  graph: Links,
  out: Near = indexLinks(graph, false),
): readonly (readonly string[])[] {
  const seen = new Set<number>();
  const parts: string[][] = [];
  for (let start = 0; start < out.length; start++) {
    if (seen.has(start)) continue;
    seen.add(start);
    const part = [start];
    for (const at of part) {
      for (const next of out[at] ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        part.push(next);
      }
    }
    parts.push(part.sort((a, b) => a - b).map((place) => graph.members[place] ?? ""));
  }
  return parts.sort((a, b) => b.length - a.length);
}

interface Step {
  readonly at: number;
  readonly parent: number;
  next: number;
}

interface Places {
  readonly points: ReadonlySet<number>;
  readonly bridges: readonly (readonly [number, number])[];
}

/** One walk in depth: `low` is the earliest member that can be reached without the link one came by. */
function findPlaces(out: Near): Places {
  /** When each was entered, -1 before. */
  const entered = new Int32Array(out.length).fill(-1);
  const low = new Int32Array(out.length);
  let count = 0;
  const points = new Set<number>();
  const bridges: [number, number][] = [];
  const lower = (at: number, to: number): void => {
    low[at] = Math.min(low[at] ?? 0, to);
  };
  const enter = (at: number, parent: number): Step => {
    entered[at] = count;
    low[at] = count++;
    return { at, parent, next: 0 };
  };
  const leave = (step: Step, above: Step, branches: number): void => {
    const reach = low[step.at] ?? 0;
    lower(above.at, reach);
    const since = entered[above.at] ?? 0;
    if (reach > since) bridges.push([above.at, step.at]);
    if (above.parent < 0 ? branches > 1 : reach >= since) points.add(above.at);
  };
  for (let root = 0; root < out.length; root++) {
    if (entered[root] !== -1) continue;
    const path = [enter(root, -1)];
    let branches = 0;
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const target = out[step.at]?.[step.next++];
      if (target === undefined) {
        path.pop();
        const above = path.at(-1);
        if (above === undefined) continue;
        if (above.parent < 0) branches++;
        leave(step, above, branches);
      } else if (entered[target] === -1) path.push(enter(target, step.at));
      else if (target !== step.parent) lower(step.at, entered[target] ?? 0);
    }
  }
  return { points, bridges };
}

/** Where a graph would fall apart. */
interface Cuts {
  /** Members whose loss would separate others, sorted by name. */
  readonly articulationPoints: readonly string[];
  /** Links whose loss would separate members, as they are in the graph. */
  readonly bridges: readonly TopologyLink[];
}

/** Finds both in one walk. */
export function findCuts(graph: Links, out: Near = indexLinks(graph, false)): Cuts {
  const { points, bridges } = findPlaces(out);
  const name = (place: number): string => graph.members[place] ?? "";
  const keys = new Set(
    bridges.flatMap(([a, b]) => [`${name(a)} ${name(b)}`, `${name(b)} ${name(a)}`]),
  );
  return {
    articulationPoints: graph.members.filter((_, place) => points.has(place)),
    bridges: keys.size === 0 ? [] : graph.links.filter(({ from, to }) => keys.has(`${from} ${to}`)),
  };
}
