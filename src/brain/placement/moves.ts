// SPDX-License-Identifier: Apache-2.0
// Moves of instances that run: few at a time, and no more of one service than one. Whoever makes them starts the new
// instance first.
import { COUNT_WEIGHT, listSpreadKeys } from "./field.ts";
import type { Demand, Ground } from "./ground.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import { orderRequests } from "./order.ts";
import { placeOnGround, type Placed } from "./place-services.ts";

/** One instance goes from a node to another, given by their ids. */
export interface Move {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  /** `3 are together there, 1 where it goes`, … */
  readonly reason: string;
}

/** How much may move now. */
export interface MoveOptions {
  /** Moves that may begin now. */
  readonly movesMax: number;
  /** Services that are still moving, or changing otherwise: left alone. */
  readonly busy: ReadonlySet<string>;
}

/** A reserved share has to differ by more than this before an instance moves for it alone. */
const RESERVED_GAP = 0.25;

interface Candidate {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** The node with the fewest instances of the service, and of equals the freest. */
function findEmptiest(
  ground: Ground,
  counts: ReadonlyMap<number, number>,
  numbers: readonly number[],
): number | undefined {
  let best: number | undefined;
  let bestRank = Infinity;
  for (const number of numbers) {
    const rank = (counts.get(number) ?? 0) * COUNT_WEIGHT + (ground.use[number] ?? 0);
    if (rank < bestRank) [best, bestRank] = [number, rank];
  }
  return best;
}

/** The numbers in groups, which come in the order of their first ones. */
function groupBy(numbers: readonly number[], groups: Int32Array): ReadonlyMap<number, number[]> {
  const byGroup = new Map<number, number[]>();
  for (const number of numbers) {
    const group = groups[number] ?? 0;
    const known = byGroup.get(group);
    if (known === undefined) byGroup.set(group, [number]);
    else known.push(number);
  }
  return byGroup;
}

/** An instance of a crowded group, or of a crowded node, that an emptier one takes: the widest groups first. */
function findCrowded(
  ground: Ground,
  counts: ReadonlyMap<number, number>,
  standing: readonly number[],
  open: readonly number[],
  [groups, ...rest]: readonly Int32Array[],
): Candidate | undefined {
  if (groups === undefined) return undefined;
  const [filled, takers] = [groupBy(standing, groups), groupBy(open, groups)];
  const sumOf = (group: number): number =>
    (filled.get(group) ?? []).reduce((sum, number) => sum + (counts.get(number) ?? 0), 0);
  const most = [...filled.keys()].reduce((a, b) => (sumOf(b) > sumOf(a) ? b : a), -1);
  const least = [...takers.keys()].reduce((a, b) => (a < 0 || sumOf(b) < sumOf(a) ? b : a), -1);
  if (least >= 0 && sumOf(most) - sumOf(least) >= 2) {
    const crowded = filled.get(most) ?? [];
    const from = crowded.reduce((a, b) => ((counts.get(b) ?? 0) > (counts.get(a) ?? 0) ? b : a));
    const to = findEmptiest(ground, counts, takers.get(least) ?? []);
    const reason = `${sumOf(most)} are together there, ${sumOf(least)} where it goes`;
    return to === undefined ? undefined : { from, to, reason };
  }
  for (const [group, inside] of filled) {
    const found = findCrowded(ground, counts, inside, takers.get(group) ?? [], rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An instance on a node of which much is reserved, that one with much less takes without becoming like it. */
function findLoaded(ground: Ground, demand: Demand, fit: readonly number[]): Candidate | undefined {
  const { counts, needs } = demand;
  if (needs.length === 0 || demand.request.near.length > 0) return undefined;
  let from: number | undefined;
  for (const number of counts.keys())
    if (from === undefined || ground.reservedOf(number) > ground.reservedOf(from)) from = number;
  if (from === undefined) return undefined;
  const start = from;
  const groups = listSpreadKeys(demand.request).map((key) => ground.groupsOf(key));
  const near = fit.filter(
    (number) => !counts.has(number) && groups.every((group) => group[number] === group[start]),
  );
  const to = findEmptiest(ground, counts, near);
  if (to === undefined) return undefined;
  const [before, there] = [ground.reservedOf(from), ground.reservedOf(to)];
  if (before - there <= RESERVED_GAP) return undefined;
  ground.put(to, demand);
  const after = ground.reservedOf(to);
  ground.take(to, demand);
  if (after + RESERVED_GAP / 2 > before) return undefined;
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  return {
    from,
    to,
    reason: `${percent(before)} is reserved there, ${percent(there)} where it goes`,
  };
}

function findMove({ ground }: Placed, demand: Demand): Candidate | undefined {
  const { strategy, pins, everywhere } = demand.request;
  if (strategy === "pack" || pins.length > 0 || everywhere) return undefined;
  const fit = ground.listFit(demand);
  const standing = [...demand.counts.keys()].sort((a, b) => a - b);
  const byNode = Int32Array.from(ground.nodes, (_, number) => number);
  const levels = listSpreadKeys(demand.request).map((key) => ground.groupsOf(key));
  const crowded = findCrowded(ground, demand.counts, standing, fit, [...levels, byNode]);
  return crowded ?? findLoaded(ground, demand, fit);
}

/**
 * Moves that make instances more evenly spread, for when a node has joined or come back. Each makes it better by itself, so
 * that passes come to an end. Services that have to move for another reason, lack a node, pack, or are pinned are left alone.
 */
export function planRebalance(
  offers: readonly NodeOffer[],
  requests: readonly PlaceRequest[],
  { movesMax, busy }: MoveOptions,
): readonly Move[] {
  const placed = placeOnGround(offers, requests);
  const { ground, demands, placements } = placed;
  const moves: Move[] = [];
  for (const index of orderRequests(requests)) {
    if (moves.length >= movesMax) break;
    const [demand, placement] = [demands[index], placements[index]];
    if (demand === undefined || placement === undefined) continue;
    const { service, nodes, kept, left, missing } = placement;
    if (busy.has(service) || missing + left.length > 0 || kept < nodes.length) continue;
    const candidate = findMove(placed, demand);
    const [from, to] = [ground.nodes[candidate?.from ?? -1], ground.nodes[candidate?.to ?? -1]];
    if (candidate === undefined || from === undefined || to === undefined) continue;
    ground.take(candidate.from, demand);
    ground.put(candidate.to, demand);
    moves.push({ service, from: from.id, to: to.id, reason: candidate.reason });
  }
  return moves;
}
