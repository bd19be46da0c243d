// SPDX-License-Identifier: Apache-2.0
// The power of two choices: two are drawn by weight, the better is asked. Judged by calls in flight, or by peak-EWMA.
import { isOpen, scanPool, type Query, type Slot, type Strategy } from "./endpoint.ts";
import { costOf } from "./latency.ts";
import { WeightedDraw } from "./weighted-draw.ts";

/** Calls in flight for the weight. */
function loadOf(slot: Slot): number {
  return slot.inFlight / slot.weight;
}

/** Times that differ by less are alike: a caller of one call at a time would else ask the same one for ever. */
const ALIKE = 0.9;

/** O(1). */
export class TwoChoices implements Strategy {
  readonly score: (slot: Slot, nowMs: number) => number;
  #pool: readonly Slot[] = [];
  #draw = new WeightedDraw([]);

  constructor(by: "load" | "latency") {
    this.score = by === "load" ? loadOf : costOf;
  }

  rebuild(pool: readonly Slot[]): void {
    this.#pool = pool;
    this.#draw = new WeightedDraw(pool.map(({ weight }) => weight));
  }

  pick(query: Query): number {
    const pool = this.#pool;
    const one = this.#draw.draw(query.random);
    let other = this.#draw.draw(query.random);
    if (other === one) other = one + 1 < pool.length ? one + 1 : 0;
    const a = pool[one];
    const b = pool[other];
    if (a === undefined || b === undefined) return -1;
    const openA = isOpen(a, query);
    const openB = isOpen(b, query);
    if (openA && openB) return this.#isBetter(b, a, query.nowMs) ? other : one;
    if (openA) return one;
    return openB ? other : scanPool(this, pool, query);
  }
  /** Whether `a` is to be asked rather than `b`, which was drawn first. */
  #isBetter(a: Slot, b: Slot, nowMs: number): boolean {
    const mine = this.score(a, nowMs);
    const others = this.score(b, nowMs);
    if (mine < others * ALIKE) return true;
    return mine * ALIKE <= others && loadOf(a) < loadOf(b);
  }
}
