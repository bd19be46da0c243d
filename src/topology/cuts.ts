// SPDX-License-Identifier: Apache-2.0
// Parts of a graph, and where it would fall apart (Tarjan, without recursion: a ring of 100,000 is as deep as it is long).
// The direction of links does not count here.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { indexLinks } from "./links.ts";

type Links = Pick<TopologyGraph, "directed" | "members" | "links">;

/** Members that can reach each other, largest part first, names sorted. */
export function groupMembers(graph: Links): readonly (readonly string[])[] {
  const out = indexLinks(graph, false);
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

interface Cuts {
  readonly points: ReadonlySet<number>;
  readonly bridges: readonly (readonly [number, number])[];
}

/** One walk in depth: `low` is the earliest member that can be reached without the link one came by. */
function findCuts(out: readonly (readonly number[])[]): Cuts {
  const entered = new Map<number, number>();
  const low = new Map<number, number>();
  const points = new Set<number>();
  const bridges: [number, number][] = [];
  const lower = (at: number, to: number): void => {
    low.set(at, Math.min(low.get(at) ?? 0, to));
  };
  const enter = (at: number, parent: number): Step => {
    entered.set(at, entered.size);
    low.set(at, entered.size - 1);
    return { at, parent, next: 0 };
  };
  const leave = (step: Step, above: Step, branches: number): void => {
    const reach = low.get(step.at) ?? 0;
    lower(above.at, reach);
    const since = entered.get(above.at) ?? 0;
    if (reach > since) bridges.push([above.at, step.at]);
    if (above.parent < 0 ? branches > 1 : reach >= since) points.add(above.at);
  };
  for (let root = 0; root < out.length; root++) {
    if (entered.has(root)) continue;
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
      } else if (!entered.has(target)) path.push(enter(target, step.at));
      else if (target !== step.parent) lower(step.at, entered.get(target) ?? 0);
    }
  }
  return { points, bridges };
}

/** Links whose loss would separate members, as they are in the graph. */
export function findBridges(graph: Links): readonly TopologyLink[] {
  const { bridges } = findCuts(indexLinks(graph, false));
  const keys = new Set(bridges.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
  const places = new Map(graph.members.map((name, i) => [name, i]));
  return graph.links.filter(({ from, to }) => keys.has(`${places.get(from)} ${places.get(to)}`));
}

/** Members whose loss would separate others, sorted by name. */
export function findArticulationPoints(graph: Links): readonly string[] {
  const { points } = findCuts(indexLinks(graph, false));
  return graph.members.filter((_, place) => points.has(place));
}
