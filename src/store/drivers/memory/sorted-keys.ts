// SPDX-License-Identifier: Apache-2.0
import type { ListOptions } from "#store/store.ts";

/** A set of keys in order. Adding moves the keys behind it, which is fast enough for some 100,000 keys. */
export interface SortedKeys {
  /** The key must not be in the set. */
  add(key: string): void;
  delete(key: string): void;
  /** Keys from `start` to before `end`, ordered and cut as the options say. */
  slice(start: string, end: string, options: ListOptions): readonly string[];
}

/** An empty set. */
export function createSortedKeys(): SortedKeys {
  const keys: string[] = [];

  /** The place of the first key that is not smaller. */
  function find(key: string): number {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    add(key) {
      keys.splice(find(key), 0, key);
    },
    delete(key) {
      const place = find(key);
      if (keys[place] === key) keys.splice(place, 1);
    },
    slice(start, end, { after, limit = Infinity, descending = false, except }) {
      let from = find(start);
      let to = find(end);
      if (after !== undefined && !descending) from = Math.max(from, find(`${after}\0`));
      if (after !== undefined && descending) to = Math.min(to, find(after));
      if (except !== undefined) {
        const all = keys.slice(from, Math.max(from, to)).filter((key) => !key.startsWith(except));
        return (descending ? all.toReversed() : all).slice(0, limit);
      }
      if (!descending) return keys.slice(from, Math.min(to, from + limit));
      return keys.slice(Math.max(from, to - limit), Math.max(from, to)).toReversed();
    },
  };
}
