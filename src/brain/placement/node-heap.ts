// SPDX-License-Identifier: Apache-2.0

/** Nodes by key, smallest first; equal keys in the order of their numbers. Filled once and then only taken from. */
export class NodeHeap {
  readonly #keys: Float64Array;
  readonly #heap: number[];

  /** Keys by node number, shared with the owner, who calls `settleTop` after a change of the top's. Keeps the array. */
  constructor(keys: Float64Array, nodes: number[]) {
    this.#keys = keys;
    this.#heap = nodes;
    for (let at = (nodes.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** Number of the node with the smallest key; undefined when there is none. */
  get top(): number | undefined {
    return this.#heap[0];
  }

  /** To be called when the key of the top has grown. */
  settleTop(): void {
    this.#sink(0);
  }

  removeTop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #comesBefore(a: number, b: number): boolean {
    const first = this.#keys[a] ?? 0;
    const second = this.#keys[b] ?? 0;
    return first < second || (first === second && a < b);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moving = heap[from];
    if (moving === undefined) return;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      if (least === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && this.#comesBefore(right, least)) {
        least = right;
        child++;
      }
      if (!this.#comesBefore(least, moving)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = moving;
  }
}
