// SPDX-License-Identifier: Apache-2.0
// Several sources, each in order, as one in order. Of each source one item waits here, the rest where it is.

export interface Timed {
  readonly atMs: number;
}

interface Head<T> {
  readonly item: T;
  readonly at: number;
}

function isLater<T extends Timed>(a: Head<T>, b: Head<T>): boolean {
  return a.item.atMs === b.item.atMs ? a.at > b.at : a.item.atMs > b.item.atMs;
}

/** Puts a head among others that are sorted, the latest first. */
function insert<T extends Timed>(heads: Head<T>[], head: Head<T>): void {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = heads[middle];
    if (other !== undefined && isLater(other, head)) low = middle + 1;
    else high = middle;
  }
  heads.splice(low, 0, head);
}

/** Items of all sources by time; those of one time in the order of the sources. Ends all of them when it is ended. */
export async function* mergeByTime<T extends Timed>(
  sources: readonly AsyncIterable<T>[],
): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const heads: Head<T>[] = [];
  const draw = async (at: number): Promise<void> => {
    const next = await iterators[at]?.next();
    if (next !== undefined && next.done !== true) insert(heads, { item: next.value, at });
  };
  try {
    await Promise.all(iterators.map((_, at) => draw(at)));
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      yield head.item;
      await draw(head.at);
    }
  } finally {
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  }
}
