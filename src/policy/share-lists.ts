// SPDX-License-Identifier: Apache-2.0
// Many things have the same list of others: hosts of grants, instances of policies. Each list is made once and numbered.

/** Which list each thing has, and the lists by their numbers. */
export interface SharedLists<Thing, Item> {
  readonly numbers: Map<Thing, number>;
  readonly lists: readonly (readonly Item[])[];
}

/** Gives each thing the items that come with it, in their order. A thing that is named twice with one item has it once or twice. */
export function shareLists<Thing, Item>(
  pairs: Iterable<readonly [things: readonly Thing[], item: Item]>,
): SharedLists<Thing, Item> {
  const lists: (readonly Item[])[] = [[]];
  const numbers = new Map<Thing, number>();
  for (const [things, item] of pairs) {
    /** From a list without this item to the one with it. */
    const longer = new Map<number, number>();
    for (const thing of things) {
      const before = numbers.get(thing) ?? 0;
      let list = longer.get(before);
      if (list === undefined) {
        list = lists.push([...(lists[before] ?? []), item]) - 1;
        longer.set(before, list);
      }
      numbers.set(thing, list);
    }
  }
  return { numbers, lists };
}
