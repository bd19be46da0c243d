// SPDX-License-Identifier: Apache-2.0

/** Few things, the first at the top. Filled once; then the top changes for the worse, or goes. */
export class TopHeap<T> {
  readonly #items: T[];
  readonly #comesBefore: (a: T, b: T) => boolean;

  /** Keeps the array. No two items may be equal, or the order would be of chance. */
  constructor(items: T[], comesBefore: (a: T, b: T) => boolean) {
    this.#items = items;
    this.#comesBefore = comesBefore;
    for (let at = (items.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  get top(): T | undefined {
    return this.#items[0];
  }

  /** To be called when the top comes later than it did. */
  settleTop(): void {
    this.#sink(0);
  }

  removeTop(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    const items = this.#items;
    const moving = items[from];
    if (moving === undefined) return;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      let first = items[child];
      if (first === undefined) break;
      const right = items[child + 1];
      if (right !== undefined && this.#comesBefore(right, first)) {
        first = right;
        child++;
      }
      if (!this.#comesBefore(first, moving)) break;
      items[at] = first;
      at = child;
    }
    items[at] = moving;
  }
}
