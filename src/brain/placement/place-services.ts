// SPDX-License-Identifier: Apache-2.0
// Where instances stand. Pure: the same nodes and requests give the same answer, whatever their order in memory.
import { Ground, RefusalCount } from "./ground.ts";
import { NodeHeap } from "./node-heap.ts";
import type { NodeOffer, Placement, PlaceRequest } from "./offer.ts";

/** One more instance of the service on a node weighs more than any difference in use. */
const COUNT_WEIGHT = 4;
const NEAR_BONUS = 2;

interface Zone {
  readonly heap: NodeHeap;
  count: number;
}

/** The nodes that take instances of one service, by zone, best first. */
class Field {
  readonly #ground: Ground;
  readonly #request: PlaceRequest;
  readonly #keys: Float64Array;
  readonly #near: readonly ReadonlyMap<number, number>[];
  readonly #zones: readonly Zone[];

  constructor(ground: Ground, request: PlaceRequest, keys: Float64Array) {
    this.#ground = ground;
    this.#request = request;
    this.#keys = keys;
    this.#near = request.near.flatMap((other) => ground.countsOf(other) ?? []);
    const spreads = request.strategy === "spread";
    const byZone: number[][] = [];
    for (const number of ground.listFit(request)) {
      keys[number] = this.#rank(number);
      (byZone[spreads ? (ground.zones[number] ?? 0) : 0] ??= []).push(number);
    }
    const counts = new Map<number, number>();
    for (const [number, count] of ground.countsOf(request.service) ?? []) {
      const zone = ground.zones[number] ?? 0;
      counts.set(zone, (counts.get(zone) ?? 0) + count);
    }
    this.#zones = byZone.flatMap((numbers, zone) =>
      numbers === undefined
        ? []
        : [{ heap: new NodeHeap(keys, numbers), count: counts.get(zone) ?? 0 }],
    );
  }

  /** Puts one instance; the node's number, or undefined when none is left that takes it. */
  putOne(): number | undefined {
    const ground = this.#ground;
    const zone = this.#chooseZone();
    const number = zone?.heap.top;
    if (zone === undefined || number === undefined) return undefined;
    ground.put(number, this.#request);
    zone.count++;
    if (ground.findShortage(number, this.#request) === undefined) {
      this.#keys[number] = this.#rank(number);
      zone.heap.settleTop();
    } else zone.heap.removeTop();
    return number;
  }

  /** The zone with the fewest instances of the service; among equals the one with the best node. */
  #chooseZone(): Zone | undefined {
    let best: Zone | undefined;
    for (const zone of this.#zones) {
      if (zone.heap.top === undefined) continue;
      if (best === undefined || zone.count < best.count) best = zone;
      else if (zone.count === best.count && this.#keyOf(zone) < this.#keyOf(best)) best = zone;
    }
    return best;
  }

  #keyOf({ heap }: Zone): number {
    return heap.top === undefined ? Infinity : (this.#keys[heap.top] ?? Infinity);
  }

  /** Smaller is better. Only grows as instances are put; for `pack` the fullest is the best and stays it. */
  #rank(number: number): number {
    const { service, strategy } = this.#request;
    const use = this.#ground.use[number] ?? 0;
    const close = this.#near.some((counts) => counts.has(number)) ? NEAR_BONUS : 0;
    if (strategy === "pack") return -use - close;
    return this.#ground.countOf(service, number) * COUNT_WEIGHT + use - close;
  }
}

function keepStanding(ground: Ground, request: PlaceRequest) {
  const kept: string[] = [];
  const left: { node: string; reason: string }[] = [];
  for (const id of request.standing) {
    const number = ground.numbers.get(id);
    const reason =
      kept.length >= request.count
        ? "not wanted any more"
        : number === undefined
          ? "gone"
          : ground.findLastingRefusal(number, request);
    if (reason === undefined && number !== undefined) {
      ground.put(number, request);
      kept.push(id);
    } else left.push({ node: id, reason: reason ?? "gone" });
  }
  return { kept, left };
}

function placeOne(
  ground: Ground,
  request: PlaceRequest,
  keys: Float64Array,
  stay: ReturnType<typeof keepStanding>,
): Placement {
  const { kept, left } = stay;
  const nodes = [...kept];
  const refused = new RefusalCount();
  if (nodes.length < request.count) {
    const field = new Field(ground, request, keys);
    while (nodes.length < request.count) {
      const id = ground.nodes[field.putOne() ?? -1]?.id;
      if (id === undefined) break;
      nodes.push(id);
    }
  }
  const missing = request.count - nodes.length;
  if (missing > 0)
    for (const [number, { id }] of ground.nodes.entries())
      refused.add(ground.findRefusal(number, request) ?? "fits", id);
  return {
    service: request.service,
    nodes,
    kept: kept.length,
    left,
    missing: Math.max(0, missing),
    refusals: refused.list(),
  };
}

/**
 * Gives every instance a node. What stands stays where constraints, pins and draining allow it, even on a node that takes
 * nothing new; then higher priorities choose first. Nodes are taken in the order of their ids.
 */
export function placeServices(
  offers: readonly NodeOffer[],
  requests: readonly PlaceRequest[],
): readonly Placement[] {
  const ground = new Ground(offers.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  const keys = new Float64Array(offers.length);
  const stays = requests.map((request) => keepStanding(ground, request));
  const order = requests
    .map((_, index) => index)
    .sort((a, b) => (requests[b]?.priority ?? 0) - (requests[a]?.priority ?? 0) || a - b);
  const placements: Placement[] = [];
  for (const index of order) {
    const [request, stay] = [requests[index], stays[index]];
    if (request !== undefined && stay !== undefined)
      placements[index] = placeOne(ground, request, keys, stay);
  }
  return placements;
}
