// SPDX-License-Identifier: Apache-2.0
// A tree: when a member goes, its children hang elsewhere with all that hangs on them, as near to the root as there is room.
import { LinkSet } from "./links.ts";
import { compareAge, electHub } from "./member.ts";
import type { Member } from "./member.ts";

/** A tree with its root, undefined only without members. */
export interface Tree {
  readonly links: LinkSet;
  readonly root: string | undefined;
}

/** The members below and including `top`, nearest first, with who they hang on. */
function walkDown(links: LinkSet, top: string): Map<string, string | undefined> {
  const parents = new Map<string, string | undefined>([[top, undefined]]);
  // A Map may be added to while it is walked: what is added comes last.
  for (const [at] of parents)
    for (const next of [...links.from(at)].sort()) if (!parents.has(next)) parents.set(next, at);
  return parents;
}

/** Hangs the parts on the first of them, in order, each where there is room nearest to the root. Changes `links`. */
function hangParts(links: LinkSet, tops: readonly string[], fanout: number): void {
  const [root, ...orphans] = tops;
  if (root === undefined) return;
  const places = [...walkDown(links, root).keys()];
  let at = 0;
  for (const orphan of orphans) {
    const childrenOf = (name: string): number => links.degree(name) - (name === root ? 0 : 1);
    while (at < places.length - 1 && childrenOf(places[at] ?? "") >= fanout) at++;
    const below = walkDown(links, orphan).keys();
    links.add(places[at] ?? root, orphan);
    places.push(...below);
  }
}

/** A new tree, filled level by level, the older nearer to the root. */
export function linkTree(
  members: readonly Member[],
  preferred: string | undefined,
  fanout: number,
): Tree {
  const root = electHub(members, preferred);
  const links = new LinkSet(false);
  const rest = members.toSorted(compareAge).map(({ name }) => name);
  const order = rest.filter((name) => name !== root);
  if (root !== undefined) hangParts(links, [root, ...order], fanout);
  return { links, root };
}

/** Gives two members each other's places. Changes `links`. */
function swapPlaces(links: LinkSet, a: string, b: string): void {
  const swap = (name: string): string => (name === a ? b : name === b ? a : name);
  const old = [a, b].flatMap((from) => [...links.from(from)].map((to) => ({ from, to })));
  for (const { from, to } of old) links.remove(from, to);
  for (const { from, to } of old) links.add(swap(from), swap(to));
}

/** Whether links between members, seen from the tops of their parts, are trees within the fanout. */
function isForest(links: LinkSet, tops: readonly string[], count: number, fanout: number): boolean {
  const seen = new Set<string>();
  for (const top of tops) {
    const parents = walkDown(links, top);
    for (const [name, parent] of parents) {
      if (seen.has(name)) return false;
      seen.add(name);
      if (links.degree(name) - (parent === undefined ? 0 : 1) > fanout) return false;
    }
  }
  return seen.size === count && links.list().length === count - tops.length;
}

/** Where the parts of a tree begin once members are gone: the old root, and the children of those that are gone. */
function findTops(before: LinkSet, oldRoot: string, names: ReadonlySet<string>): string[] {
  const tops: string[] = [];
  for (const [name, parent] of walkDown(before, oldRoot))
    if (names.has(name) && (parent === undefined || !names.has(parent))) tops.push(name);
  return tops;
}

/** The tree with gone members' children hung elsewhere and new members added; undefined when it was no such tree. */
export function mendTree(
  before: Tree,
  members: readonly Member[],
  preferred: string | undefined,
  fanout: number,
): Tree | undefined {
  if (before.root === undefined) return undefined;
  const byName = new Map(members.map((member) => [member.name, member]));
  const isKept = ({ from, to }: { from: string; to: string }): boolean =>
    byName.has(from) && byName.has(to);
  const links = new LinkSet(false, before.links.list().filter(isKept));
  const tops = findTops(before.links, before.root, new Set(byName.keys()));
  const known = new Set(tops.flatMap((top) => [...walkDown(links, top).keys()]));
  if (!isForest(links, tops, known.size, fanout)) return undefined;
  const fresh = members.filter(({ name }) => !known.has(name)).toSorted(compareAge);
  const orphans = tops.filter((name) => name !== before.root);
  const candidates = orphans.flatMap((name) => byName.get(name) ?? []).toSorted(compareAge);
  const heads = byName.has(before.root) ? [before.root] : [];
  const order = [...heads, ...candidates.map(({ name }) => name), ...fresh.map(({ name }) => name)];
  hangParts(links, order, fanout);
  const [top] = order;
  const wanted = preferred !== undefined && byName.has(preferred) ? preferred : top;
  if (top !== undefined && wanted !== undefined && wanted !== top) swapPlaces(links, top, wanted);
  return { links, root: wanted };
}
