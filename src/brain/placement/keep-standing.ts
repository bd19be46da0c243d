// SPDX-License-Identifier: Apache-2.0
// Which instances stay where they are.
import { listSpreadKeys } from "./field.ts";
import type { Demand, Ground } from "./ground.ts";

/** What stays, as ids of nodes in the order given, and what has to leave with the reason. */
export interface Stay {
  readonly kept: readonly string[];
  readonly left: readonly { readonly node: string; readonly reason: string }[];
}

interface Standing {
  readonly id: string;
  readonly number: number;
  /** In the list that was given. */
  readonly at: number;
}

/** How many of the same value come before each. */
function countBefore<T>(items: readonly T[], valueOf: (item: T) => number): readonly number[] {
  const seen = new Map<number, number>();
  return items.map((item) => {
    const value = valueOf(item);
    const before = seen.get(value) ?? 0;
    seen.set(value, before + 1);
    return before;
  });
}

function sortBy<T>(items: readonly T[], ranks: readonly number[]): readonly T[] {
  return items
    .map((item, at) => ({ item, at, rank: ranks[at] ?? 0 }))
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
    .map(({ item }) => item);
}

/** Those that are to stay first: of what is crowded, or of the emptiest for `pack`, the last leave first. */
function rankStanding(ground: Ground, demand: Demand, all: readonly Standing[]) {
  const { request } = demand;
  const onNode = new Map<number, number>();
  for (const { number } of all) onNode.set(number, (onNode.get(number) ?? 0) + 1);
  let ranked = all;
  if (request.strategy === "pack")
    ranked = sortBy(
      ranked,
      ranked.map(({ number }) => -(onNode.get(number) ?? 0)),
    );
  else
    ranked = sortBy(
      ranked,
      countBefore(ranked, ({ number }) => number),
    );
  for (const key of listSpreadKeys(request).toReversed()) {
    const groups = ground.groupsOf(key);
    ranked = sortBy(
      ranked,
      countBefore(ranked, ({ number }) => groups[number] ?? 0),
    );
  }
  const isClosed = ({ number }: Standing): number => (ground.nodes[number]?.closed === "" ? 0 : 1);
  return sortBy(ranked, ranked.map(isClosed));
}

/** Puts what may stay: all that passes the tests, as far as it is wanted. */
export function keepStanding(ground: Ground, demand: Demand): Stay {
  const { standing, count } = demand.request;
  const reasons: (string | undefined)[] = [];
  const able: Standing[] = [];
  for (const [at, id] of standing.entries()) {
    const number = ground.numbers.get(id) ?? -1;
    reasons[at] = ground.findLasting(number, demand)?.test;
    if (reasons[at] === undefined) able.push({ id, number, at });
  }
  const ranked = able.length > count ? rankStanding(ground, demand, able) : able;
  let kept = 0;
  for (const { number, at } of ranked) {
    reasons[at] = kept >= count ? "not wanted any more" : ground.findShortage(number, demand)?.test;
    if (reasons[at] !== undefined) continue;
    ground.put(number, demand);
    kept++;
  }
  return {
    kept: standing.filter((_, at) => reasons[at] === undefined),
    left: standing.flatMap((node, at) => {
      const reason = reasons[at];
      return reason === undefined ? [] : [{ node, reason }];
    }),
  };
}
