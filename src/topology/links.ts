// SPDX-License-Identifier: Apache-2.0
// A set of links under change: what building and rewiring work on.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { compareNames } from "./member.ts";

const NONE: ReadonlySet<string> = new Set();

/** Links between names. Without direction a link is there both ways. Links to oneself are not taken. */
export class LinkSet {
  readonly directed: boolean;
  readonly #from = new Map<string, Set<string>>();

  constructor(directed: boolean, links: Iterable<TopologyLink> = []) {
    this.directed = directed;
    for (const { from, to } of links) this.add(from, to);
  }

  #addOneWay(from: string, to: string): void {
    const there = this.#from.get(from);
    if (there === undefined) this.#from.set(from, new Set([to]));
    else there.add(to);
  }

  add(from: string, to: string): void {
    if (from === to) return;
    this.#addOneWay(from, to);
    if (!this.directed) this.#addOneWay(to, from);
  }

  remove(from: string, to: string): void {
    this.#from.get(from)?.delete(to);
    if (!this.directed) this.#from.get(to)?.delete(from);
  }

  has(from: string, to: string): boolean {
    return this.from(from).has(to);
  }

  /** Whom the links of `name` lead to, in the order in which they were added. */
  from(name: string): ReadonlySet<string> {
    return this.#from.get(name) ?? NONE;
  }

  degree(name: string): number {
    return this.from(name).size;
  }

  /** Sorted; without direction each once, the lesser name first. */
  list(): TopologyLink[] {
    const list: TopologyLink[] = [];
    for (const from of [...this.#from.keys()].sort(compareNames)) {
      for (const to of [...this.from(from)].sort(compareNames))
        if (this.directed || from < to) list.push({ from, to });
    }
    return list;
  }

  /** Whether every one of the names can be reached from the first, along links and against them where undirected. */
  connects(names: readonly string[]): boolean {
    const seen = new Set(names.slice(0, 1));
    // A Set may be added to while it is walked: what is added comes last.
    for (const at of seen) for (const next of this.from(at)) seen.add(next);
    return seen.size === names.length;
  }
}

/** What the links of one graph have that the other has not, both ways. A change of direction changes every link. */
export function diffLinks(
  before: Pick<TopologyGraph, "directed" | "links">,
  after: Pick<TopologyGraph, "directed" | "links">,
): { readonly added: readonly TopologyLink[]; readonly removed: readonly TopologyLink[] } {
  if (before.directed !== after.directed) return { added: after.links, removed: before.links };
  const key = ({ from, to }: TopologyLink): string => `${from} ${to}`;
  const [old, fresh] = [new Set(before.links.map(key)), new Set(after.links.map(key))];
  return {
    added: after.links.filter((link) => !old.has(key(link))),
    removed: before.links.filter((link) => !fresh.has(key(link))),
  };
}

/** The links of a graph that are still between members. */
export function keepLinks(before: TopologyGraph, names: ReadonlySet<string>): LinkSet {
  const kept = before.links.filter(({ from, to }) => names.has(from) && names.has(to));
  return new LinkSet(before.directed, kept);
}

/** For each member, by its place in `members`, the places that its links lead to, ascending. */
export function indexLinks(
  graph: Pick<TopologyGraph, "directed" | "members" | "links">,
  directed = graph.directed,
): readonly (readonly number[])[] {
  const places = new Map(graph.members.map((name, i) => [name, i]));
  const out: Set<number>[] = graph.members.map(() => new Set());
  for (const link of graph.links) {
    const [from, to] = [places.get(link.from), places.get(link.to)];
    if (from === undefined || to === undefined || from === to) continue;
    out[from]?.add(to);
    if (!directed) out[to]?.add(from);
  }
  return out.map((targets) => [...targets].sort((a, b) => a - b));
}
