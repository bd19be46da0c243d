// SPDX-License-Identifier: Apache-2.0
// A tournament of numbers: the least is known at once, a change is worked in with one comparison a level.

/** Leaves with two keys; the second decides between equal first ones, then the position. */
export class WinnerTree {
  readonly #size: number;
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  /** Winner of each match; the leaves stand behind the matches. */
  readonly #nodes: Int32Array;

  constructor(count: number) {
    let size = 1;
    while (size < count) size *= 2;
    this.#size = size;
    this.#first = new Float64Array(size).fill(Infinity);
    this.#second = new Float64Array(size).fill(Infinity);
    this.#nodes = new Int32Array(size * 2);
    for (let leaf = 0; leaf < size; leaf++) this.#nodes[size + leaf] = leaf;
    for (let node = size - 1; node >= 1; node--) this.#nodes[node] = this.#nodes[node * 2] ?? 0;
  }

  /** The leaf with the least keys. */
  get winner(): number {
    return this.#nodes[1] ?? 0;
  }

  /** Sets the keys of a leaf. */
  set(leaf: number, first: number, second: number): void {
    this.#first[leaf] = first;
    this.#second[leaf] = second;
    const nodes = this.#nodes;
    for (let node = (this.#size + leaf) >> 1; node >= 1; node >>= 1) {
      const left = nodes[node * 2] ?? 0;
      const right = nodes[node * 2 + 1] ?? 0;
      const before = nodes[node];
      const after = this.#isLess(right, left) ? right : left;
      // It neither won here before nor does now: the matches above are as they were.
      if (after === before && after !== leaf) return;
      nodes[node] = after;
    }
  }

  #isLess(a: number, b: number): boolean {
    const x = this.#first[a] ?? 0;
    const y = this.#first[b] ?? 0;
    return x < y || (x === y && (this.#second[a] ?? 0) < (this.#second[b] ?? 0));
  }
}
