// SPDX-License-Identifier: Apache-2.0
// A ring is a round of names. Joining cuts one link and adds two, leaving closes the gap: at most three changes each.
import type { Locality } from "@fairlead/protocol/agent.ts";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import { estimateDistanceKm } from "./distance.ts";
import { LinkSet } from "./links.ts";
import { compareAge, compareNames } from "./member.ts";
import type { Member } from "./member.ts";

/** The links of a round of names; two members have one link, or one each way. */
export function linkRound(round: readonly string[], directed: boolean): LinkSet {
  const links = new LinkSet(directed);
  for (const [i, name] of round.entries()) links.add(name, round[(i + 1) % round.length] ?? name);
  return links;
}

/** The first round: region by region, zone by zone, the older first. */
export function orderRound(members: readonly Member[]): readonly string[] {
  const key = ({ locality }: Member): string => `${locality.region ?? ""}\n${locality.zone ?? ""}`;
  return members
    .toSorted((a, b) => compareNames(key(a), key(b)) || compareAge(a, b))
    .map(({ name }) => name);
}

/** The round that the links of a graph form; undefined when they form none. */
export function readRound(graph: TopologyGraph): readonly string[] | undefined {
  const links = new LinkSet(graph.directed, graph.links);
  const [first] = graph.members;
  const round: string[] = [];
  for (let at = first; at !== undefined && round.length < graph.members.length;) {
    round.push(at);
    const before = round.at(-2);
    at = [...links.from(at)].find((name) => name !== before && name !== first);
  }
  if (round.length !== graph.members.length) return undefined;
  const wanted = linkRound(round, graph.directed).list();
  const isWhole =
    wanted.length === graph.links.length && wanted.every(({ from, to }) => links.has(from, to));
  return isWhole ? round : undefined;
}

/** The place in the round at which a member makes the shortest detour; the first among equals. */
function findPlace(
  round: readonly string[],
  locality: Locality,
  places: ReadonlyMap<string, Locality>,
): number {
  const distance = (a: Locality, b: Locality | undefined): number =>
    b === undefined ? 0 : estimateDistanceKm(a, b);
  let best = round.length;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i <= round.length; i++) {
    const before = places.get(round[i - 1] ?? "");
    const after = places.get(round[i % round.length] ?? "");
    const direct = before === undefined ? 0 : distance(before, after);
    const detour = distance(locality, before) + distance(locality, after) - direct;
    if (detour < least) [least, best] = [detour, i];
  }
  return best;
}

/** The round without those that are gone, and with each new member where it makes the shortest detour. */
export function mendRound(
  before: readonly string[],
  members: readonly Member[],
): readonly string[] {
  const places = new Map(members.map(({ name, locality }) => [name, locality]));
  const known = new Set(before);
  const round = before.filter((name) => places.has(name));
  for (const { name, locality } of members.toSorted(compareAge)) {
    if (!known.has(name)) round.splice(findPlace(round, locality, places), 0, name);
  }
  return round;
}
