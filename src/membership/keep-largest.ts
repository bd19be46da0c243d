// SPDX-License-Identifier: Apache-2.0
// A few of many, without putting all in order: of a thousand peers each datagram tells of sixty.

/** The `count` items of which `weigh` is largest, in no order; all of them when there are no more. */
export function keepLargest<T>(
  items: readonly T[],
  count: number,
  weigh: (item: T) => number,
): readonly T[] {
  if (items.length <= count) return items;
  /** A heap of those that are kept, the smallest on top. */
  const kept = items.slice(0, count);
  const weights = kept.map(weigh);

  function sink(item: T, weight: number, from: number): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if ((weights[child + 1] ?? Infinity) < (weights[child] ?? Infinity)) child++;
      const below = kept[child];
      if (below === undefined || weight <= (weights[child] ?? Infinity)) break;
      kept[at] = below;
      weights[at] = weights[child] ?? Infinity;
      at = child;
    }
    kept[at] = item;
    weights[at] = weight;
  }

  for (let at = (count >> 1) - 1; at >= 0; at--) {
    const [item, weight] = [kept[at], weights[at]];
    if (item !== undefined && weight !== undefined) sink(item, weight, at);
  }
  for (const item of items.slice(count)) {
    const weight = weigh(item);
    if (weight > (weights[0] ?? Infinity)) sink(item, weight, 0);
  }
  return kept;
}
