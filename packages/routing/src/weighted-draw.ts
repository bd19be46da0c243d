// SPDX-License-Identifier: Apache-2.0
// Draws positions by weight in constant time: Walker's alias method with Vose's way of building it.

/** Tables for one set of weights; equal weights need none. */
export class WeightedDraw {
  readonly #count: number;
  readonly #chance: Float64Array | undefined;
  readonly #alias: Int32Array;

  constructor(weights: readonly number[]) {
    const count = weights.length;
    this.#count = count;
    this.#alias = new Int32Array(count);
    const [first = 1] = weights;
    if (weights.every((weight) => weight === first)) return;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const chance = Float64Array.from(weights, (weight) => (weight / sum) * count);
    const [poor, rich]: [number[], number[]] = [[], []];
    for (let at = 0; at < count; at++) ((chance[at] ?? 0) < 1 ? poor : rich).push(at);
    while (poor.length > 0 && rich.length > 0) {
      const [low = 0, high = 0] = [poor.pop(), rich.pop()];
      this.#alias[low] = high;
      chance[high] = (chance[high] ?? 0) + (chance[low] ?? 0) - 1;
      ((chance[high] ?? 0) < 1 ? poor : rich).push(high);
    }
    for (const at of [...poor, ...rich]) chance[at] = 1;
    this.#chance = chance;
  }

  /** A position; `random` gives from 0 to below 1. */
  draw(random: () => number): number {
    const spot = random() * this.#count;
    const at = Math.floor(spot);
    if (this.#chance === undefined) return at;
    return spot - at < (this.#chance[at] ?? 1) ? at : (this.#alias[at] ?? 0);
  }
}
