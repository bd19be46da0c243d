// SPDX-License-Identifier: Apache-2.0
// A mesh of degree k: a regular graph that looks random, so that ways stay short (about log n / log (k − 1)).
//
// A lattice of neighbours and neighbours' neighbours was weighed and left: with 1,000 members of degree 6 its ways have 167
// links, beyond any sensible limit. Rounds in an order that looks random have 5.
//
// Whoever lacks links gets them by one of two moves. Two that lack a link and have none between them are linked. Else,
// where x–y is a link, x a stranger of a and y a stranger of b, it is replaced by a–x and b–y (b may be a): the degrees
// of x and y stay. Such a link exists whenever n ≥ k + 2 and the others have k links: a lacks one, so it has n − k or
// more strangers, b likewise, and each x has at most n − 2 − k strangers besides a. So only n·k odd leaves one short.
import { findCuts, groupMembers } from "./cuts.ts";
import { LinkSet } from "./links.ts";
import { compareNames } from "./member.ts";
import { mixText } from "./mix.ts";

/** Names in an order that looks random, another one for each salt. */
function shuffle(names: readonly string[], salt: string): readonly string[] {
  return names
    .map((name) => ({ name, rank: mixText(`${salt}/${name}`) }))
    .sort((a, b) => a.rank - b.rank || compareNames(a.name, b.name))
    .map(({ name }) => name);
}

/** Each name once, beginning at a place that depends on the text. */
function* turn(names: readonly string[], text: string): Generator<string> {
  const start = names.length === 0 ? 0 : mixText(text) % names.length;
  for (let i = 0; i < names.length; i++) yield names[(start + i) % names.length] ?? "";
}

/** Gives a and b (which may be the same) one more link each out of a link of others. False when there is none. */
function takeLink(links: LinkSet, names: readonly string[], a: string, b: string): boolean {
  for (const x of turn(names, `${a}/${b}`)) {
    if (x === a || x === b || links.has(a, x)) continue;
    for (const y of turn([...links.from(x)].sort(compareNames), `${b}/${x}`)) {
      if (y === a || y === b || links.has(b, y)) continue;
      links.remove(x, y);
      links.add(a, x);
      links.add(b, y);
      return true;
    }
  }
  return false;
}

/** Brings every member to `degree` links, one of them to one less where the count is odd. */
function fillLinks(links: LinkSet, names: readonly string[], degree: number): void {
  let lacking = shuffle(
    names.filter((name) => links.degree(name) < degree),
    "lacking",
  );
  for (let a = lacking[0]; a !== undefined; a = lacking[0]) {
    const name = a;
    const others = lacking.slice(1);
    const stranger = others.find((other) => !links.has(name, other));
    const partner = others[0];
    const hasGained =
      stranger !== undefined ||
      (links.degree(name) <= degree - 2
        ? takeLink(links, names, name, name)
        : partner !== undefined && takeLink(links, names, name, partner));
    if (stranger !== undefined) links.add(name, stranger);
    lacking = (hasGained ? lacking : others).filter((other) => links.degree(other) < degree);
  }
}

/** Joins separate parts by crossing a link of one, on a circle, with one of another: no degree changes. */
function joinParts(links: LinkSet, names: readonly string[]): void {
  while (!links.connects(names)) {
    const graph = { directed: false, members: [...names], links: links.list() };
    const parts = groupMembers(graph).map((part) => new Set(part));
    const [first, second] = parts;
    if (first === undefined || second === undefined) return;
    const bridges = new LinkSet(false, findCuts(graph).bridges);
    const [one, other] = [first, second].map((part) =>
      graph.links.find(({ from, to }) => part.has(from) && !bridges.has(from, to)),
    );
    if (one === undefined || other === undefined) {
      // Members with two links are on a circle. Only what was no mesh has none, and there a link too many is the lesser harm.
      links.add([...first][0] ?? "", [...second][0] ?? "");
      continue;
    }
    links.remove(one.from, one.to);
    links.remove(other.from, other.to);
    links.add(one.from, other.from);
    links.add(one.to, other.to);
  }
}

/** How many links each member of a mesh has. */
function settleDegree(count: number, degree: number | undefined): number {
  return Math.min(degree ?? Number.POSITIVE_INFINITY, Math.max(0, count - 1));
}

/** The links of a new mesh. `names` sorted. */
export function linkMesh(names: readonly string[], declared: number | undefined): LinkSet {
  const degree = settleDegree(names.length, declared);
  const links = new LinkSet(false);
  for (let round = 0; round < Math.floor(degree / 2) && degree < names.length - 1; round++) {
    const order = shuffle(names, `round ${round}`);
    for (const [i, name] of order.entries()) {
      const next = order[(i + 1) % order.length] ?? name;
      if (links.degree(name) < degree && links.degree(next) < degree) links.add(name, next);
    }
  }
  return mendMesh(links, names, declared);
}

/** Whether no member has more links than declared: only then can they be mended. */
export function isMendable(
  links: LinkSet,
  names: readonly string[],
  declared: number | undefined,
): boolean {
  return names.every((name) => links.degree(name) <= (declared ?? Number.POSITIVE_INFINITY));
}

/** The links with those that members lack, in one part. Changes `links`. */
export function mendMesh(
  links: LinkSet,
  names: readonly string[],
  declared: number | undefined,
): LinkSet {
  const degree = settleDegree(names.length, declared);
  fillLinks(links, names, degree);
  joinParts(links, names);
  return links;
}
