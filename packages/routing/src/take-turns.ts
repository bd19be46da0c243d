// SPDX-License-Identifier: Apache-2.0
// Smooth weighted round robin, and least requests with it between equals: whose virtual time is due first comes first.
import { isOpen, scanPool, type Query, type Slot, type Strategy } from "./endpoint.ts";
import { WinnerTree } from "./winner-tree.ts";

/** Newcomers are due at times spread by the golden ratio, or those of equal weight would come one after the other. */
const GOLDEN = 0.6180339887498949;

/**
 * With integer weights each member is picked exactly `weight` times in every cycle of as many picks as the weights add up
 * to, spread evenly. By load, the one with the fewest calls in flight for its weight comes first. O(log n).
 */
export class TakeTurns implements Strategy {
  readonly #byLoad: boolean;
  #pool: readonly Slot[] = [];
  #tree = new WinnerTree(0);
  #weights = new Map<Slot, number>();
  /** Virtual time: that of the last pick. */
  #now = 0;

  constructor(byLoad: boolean) {
    this.#byLoad = byLoad;
  }

  rebuild(pool: readonly Slot[]): void {
    const before = this.#weights;
    this.#weights = new Map();
    if (pool.length !== this.#pool.length) this.#tree = new WinnerTree(pool.length);
    this.#pool = pool;
    for (const slot of pool) {
      const weight = before.get(slot);
      // A newcomer waits a part of its first turn; one whose weight changed, what is left of its turn at the new pace.
      const phase = ((slot.place + 1) * GOLDEN) % 1;
      const left = weight === undefined ? phase : Math.max(0, slot.due - this.#now) * weight;
      slot.due = this.#now + left / slot.weight;
      this.#weights.set(slot, slot.weight);
      this.#place(slot);
    }
  }

  touch(slot: Slot): void {
    // In turns, calls in flight only matter where there is a bound.
    if (this.#byLoad || slot.limit !== Infinity) this.#place(slot);
  }

  #place(slot: Slot): void {
    const full = slot.inFlight >= slot.limit;
    const first = this.#byLoad ? slot.inFlight / slot.weight : 0;
    this.#tree.set(slot.place, full ? Infinity : first, slot.due);
  }

  pick(query: Query): number {
    let place = this.#tree.winner;
    let slot = this.#pool[place];
    if (slot === undefined || !isOpen(slot, query)) {
      place = scanPool(this, this.#pool, query);
      slot = this.#pool[place];
      if (slot === undefined) return -1;
    }
    this.#now = Math.max(this.#now, slot.due);
    // By load a member may be chosen before it is due, or long after: neither is saved up.
    slot.due = (this.#byLoad ? this.#now : slot.due) + 1 / slot.weight;
    this.#place(slot);
    return place;
  }

  score(slot: Slot): number {
    return this.#byLoad ? slot.inFlight / slot.weight : slot.due - this.#now;
  }
}
