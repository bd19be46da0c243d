// SPDX-License-Identifier: Apache-2.0
// The near ones first. What they cannot take, because too few of them are well, spills over to the next tier.
import type { Locality } from "@fairlead/protocol/agent.ts";
import { rankPlace } from "./distance.ts";
import type { Query, Slot, Strategy } from "./endpoint.ts";
import { costOf } from "./latency.ts";
import { TwoChoices } from "./two-choices.ts";

interface Tier {
  readonly choices: TwoChoices;
  /** Places in the whole pool, by place in the tier. */
  readonly places: Int32Array;
  /** Share of the calls of this tier and those before it. */
  readonly upTo: number;
}

/** What share of a tier can take calls: members in the pool that are not full, by weight, of all that are known. */
function measureCapacity(all: readonly Slot[]): number {
  const [able, sum] = all.reduce<readonly [number, number]>(
    ([good, total], { place, endpoint }) => {
      const weight = endpoint.weight ?? 1;
      return [good + (place >= 0 && endpoint.load < 1 ? weight : 0), total + weight];
    },
    [0, 0],
  );
  return sum === 0 ? 0 : able / sum;
}

/** Tiers by distance, power of two choices by peak-EWMA inside of them. */
export class NearFirst implements Strategy {
  readonly score = costOf;
  readonly #here: Locality;
  readonly #spillShare: number;
  /** All that are known, in the pool or not: a tier without its ill members would look whole. */
  readonly #known: () => Iterable<Slot>;
  #tiers: readonly Tier[] = [];

  constructor(here: Locality, spillShare: number, known: () => Iterable<Slot>) {
    this.#here = here;
    this.#spillShare = spillShare;
    this.#known = known;
  }

  rebuild(pool: readonly Slot[]): void {
    const byRank = Map.groupBy(this.#known(), ({ endpoint }) =>
      rankPlace(this.#here, endpoint.locality),
    );
    const groups = [...byRank].sort(([a], [b]) => a - b).map(([, all]) => all);
    let left = 1;
    this.#tiers = groups.flatMap((all) => {
      const members = all.filter((slot) => pool[slot.place] === slot);
      if (members.length === 0) return [];
      left -= Math.min(left, Math.min(1, measureCapacity(all) / this.#spillShare));
      const choices = new TwoChoices("latency");
      choices.rebuild(members);
      return [{ choices, places: Int32Array.from(members, ({ place }) => place), upTo: 1 - left }];
    });
  }

  /** The share of the calls that each tier gets, nearest first, for explaining. */
  get shares(): readonly number[] {
    return this.#tiers.map(({ upTo }, at) => upTo - (this.#tiers[at - 1]?.upTo ?? 0));
  }

  pick(query: Query): number {
    const tiers = this.#tiers;
    const spot = query.random() * (tiers.at(-1)?.upTo || 1);
    let start = 0;
    while (start < tiers.length - 1 && spot >= (tiers[start]?.upTo ?? 1)) start++;
    // From there outwards, then inwards: nobody is refused while somebody takes calls.
    for (let step = 0; step < tiers.length; step++) {
      const tier = tiers[start + step < tiers.length ? start + step : tiers.length - 1 - step];
      const place = tier?.choices.pick(query) ?? -1;
      if (tier !== undefined && place >= 0) return tier.places[place] ?? -1;
    }
    return -1;
  }
}
