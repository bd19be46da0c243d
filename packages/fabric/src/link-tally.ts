// SPDX-License-Identifier: Apache-2.0
// Counts who talks to whom, cheaply enough to be done for each message, and bounded.
import type { LinkUse } from "@fairlead/protocol/fabric.ts";

/** Links that are counted until they are taken; what is said on others is left out and counted as one. */
const LINKS_MAX = 1_000;

/** Messages of one link. Its holder adds to `used` or `refused`, and asks for another once it was taken. */
export interface LinkCounter {
  readonly from: string;
  readonly to: string;
  used: number;
  refused: number;
  /** What it counted has been taken: nobody looks at it any more. */
  taken: boolean;
}

/** What was counted since it was last taken. */
export interface TakenLinks {
  readonly links: LinkUse[];
  /** Messages on links that were too many to be told apart. */
  readonly omitted: number;
}

/** Links by who sends and who receives. */
export class LinkTally {
  readonly #onFirst: () => void;
  #counters = new Map<string, LinkCounter>();
  #rest: LinkCounter | undefined;

  /** `onFirst` is called with the first count after what was counted has been taken. */
  constructor(onFirst: () => void = () => undefined) {
    this.#onFirst = onFirst;
  }

  get isEmpty(): boolean {
    return this.#counters.size === 0;
  }

  /** The counter of a link. */
  at(from: string, to: string): LinkCounter {
    const key = `${from} ${to}`;
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    const counter = { from, to, used: 0, refused: 0, taken: false };
    if (this.#counters.size >= LINKS_MAX) return (this.#rest ??= counter);
    this.#counters.set(key, counter);
    if (this.#counters.size === 1) this.#onFirst();
    return counter;
  }

  /** The links with most messages, at most `most` of them, and begins anew. */
  take(most: number = LINKS_MAX): TakenLinks {
    const size = ({ used, refused }: LinkCounter): number => used + refused;
    const all = [...this.#counters.values()].filter((counter) => size(counter) > 0);
    const kept = all.length > most ? all.toSorted((a, b) => size(b) - size(a)) : all;
    const left = [...kept.slice(most), ...(this.#rest === undefined ? [] : [this.#rest])];
    for (const counter of this.#counters.values()) counter.taken = true;
    if (this.#rest !== undefined) this.#rest.taken = true;
    this.#counters = new Map();
    this.#rest = undefined;
    return {
      links: kept
        .slice(0, most)
        .map(({ from, to, used, refused }) => ({ from, to, used, refused })),
      omitted: left.reduce((sum, counter) => sum + size(counter), 0),
    };
  }
}

/** Counts the messages of one link for as long as its holder likes. */
export class LinkMeter {
  readonly #tally: LinkTally;
  #counter: LinkCounter;

  constructor(tally: LinkTally, from: string, to: string) {
    this.#tally = tally;
    this.#counter = tally.at(from, to);
  }

  /** One message went over it. */
  count(): void {
    if (this.#counter.taken) this.#counter = this.#tally.at(this.#counter.from, this.#counter.to);
    this.#counter.used++;
  }
}
