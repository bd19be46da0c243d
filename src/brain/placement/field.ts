// SPDX-License-Identifier: Apache-2.0
// The nodes that take instances of one service, as a tree: groups of the widest key first, nodes as leaves.
import type { Demand, Ground } from "./ground.ts";
import { ZONE_KEY, type PlaceRequest } from "./offer.ts";
import { TopHeap } from "./top-heap.ts";

/** One more instance of the service on a node weighs more than any difference in use. */
export const COUNT_WEIGHT = 4;
const NEAR_BONUS = 2;

/** The keys over whose values the instances are spread, the widest first. */
export function listSpreadKeys({ strategy, spreadOver }: PlaceRequest): readonly string[] {
  if (spreadOver.length > 0 || strategy === "pack") return spreadOver;
  return [ZONE_KEY];
}

/**
 * How good a node is for one more instance: smaller is better. Only grows as instances are put; for `pack` the fullest is the
 * best and stays it. `near`: instances by node of those near which it would stand.
 */
export function rankNode(
  ground: Ground,
  { counts, request }: Demand,
  near: readonly ReadonlyMap<number, number>[],
  number: number,
): number {
  const use = ground.use[number] ?? 0;
  const close = near.some((others) => others.has(number)) ? NEAR_BONUS : 0;
  if (request.strategy === "pack") return -use - close;
  return (counts.get(number) ?? 0) * COUNT_WEIGHT + use - close;
}

/** Nodes that have the same under all keys so far: either groups of the next key, or the nodes themselves. */
interface Group {
  /** Instances of the service in it, also on nodes that take no more. */
  count: number;
  readonly groups: TopHeap<Group> | undefined;
  readonly nodes: TopHeap<number> | undefined;
}

/** The nodes that take instances of one service, best first. */
export class Field {
  readonly #ground: Ground;
  readonly #demand: Demand;
  readonly #ranks: Float64Array;
  readonly #near: readonly ReadonlyMap<number, number>[];
  readonly #root: Group;

  /** `ranks`: room for a number for each node, which this field alone uses while it is in use. */
  constructor(ground: Ground, demand: Demand, ranks: Float64Array) {
    this.#ground = ground;
    this.#demand = demand;
    this.#ranks = ranks;
    this.#near = demand.request.near.map((other) => ground.countsOf(other));
    const fit = ground.listFit(demand);
    for (const number of fit)
      ranks[number] = rankNode(this.#ground, this.#demand, this.#near, number);
    const keys = listSpreadKeys(demand.request).map((key) => ground.groupsOf(key));
    this.#root = this.#grow(fit, [...demand.counts], keys);
  }

  /** Puts one instance; the node's number, or undefined when none is left that takes it. */
  putOne(): number | undefined {
    return this.#putInto(this.#root);
  }

  #grow(
    numbers: number[],
    standing: readonly (readonly [number, number])[],
    [key, ...rest]: readonly Int32Array[],
  ): Group {
    const count = standing.reduce((sum, [, instances]) => sum + instances, 0);
    if (key === undefined) {
      const nodes = new TopHeap(numbers, (a, b) => this.#comesBefore(a, b));
      return { count, groups: undefined, nodes };
    }
    // By the groups' numbers, which are small: as many nodes as there are come by here for each service.
    const parts: { numbers: number[]; standing: (readonly [number, number])[] }[] = [];
    for (const number of numbers) {
      const group = key[number] ?? 0;
      (parts[group] ??= { numbers: [], standing: [] }).numbers.push(number);
    }
    for (const one of standing) parts[key[one[0]] ?? 0]?.standing.push(one);
    const groups: Group[] = [];
    for (const part of parts)
      if (part !== undefined) groups.push(this.#grow(part.numbers, part.standing, rest));
    return { count, groups: new TopHeap(groups, (a, b) => this.#isBetter(a, b)), nodes: undefined };
  }

  #putInto(group: Group): number | undefined {
    const { groups, nodes } = group;
    const inner = groups?.top;
    const number = inner === undefined ? nodes?.top : this.#putInto(inner);
    if (number === undefined) return undefined;
    group.count++;
    if (inner !== undefined) {
      if (this.#bestOf(inner) === undefined) groups?.removeTop();
      else groups?.settleTop();
      return number;
    }
    this.#ground.put(number, this.#demand);
    if (this.#ground.findShortage(number, this.#demand) === undefined) {
      this.#ranks[number] = rankNode(this.#ground, this.#demand, this.#near, number);
      nodes?.settleTop();
    } else nodes?.removeTop();
    return number;
  }

  #bestOf({ groups, nodes }: Group): number | undefined {
    const inner = groups?.top;
    return inner === undefined ? nodes?.top : this.#bestOf(inner);
  }

  /** The group with fewer instances of the service; among equals the one with the better node. */
  #isBetter(a: Group, b: Group): boolean {
    if (a.count !== b.count) return a.count < b.count;
    const [first, second] = [this.#bestOf(a), this.#bestOf(b)];
    return first !== undefined && (second === undefined || this.#comesBefore(first, second));
  }

  #comesBefore(a: number, b: number): boolean {
    const first = this.#ranks[a] ?? 0;
    const second = this.#ranks[b] ?? 0;
    return first < second || (first === second && a < b);
  }
}
