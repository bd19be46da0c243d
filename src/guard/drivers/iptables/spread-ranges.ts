// SPDX-License-Identifier: Apache-2.0
// Addresses of a verdict table in a row: a chain of rules is gone through one by one, so that the fewer and the more orderly they
// are, the less a packet costs.
import { parseAddress } from "#base/addresses.ts";
import type { AddressRange, DirectionTable } from "#policy/verdict-table.ts";

/** Single addresses as ranges, in order; neighbours of one class are one range. */
function joinHosts(table: DirectionTable, family: 4 | 6): readonly AddressRange[] {
  const hosts = [...table.hosts]
    .map(([address, one]) => ({ at: parseAddress(address), class: one }))
    .flatMap(({ at, class: one }) =>
      at?.family === family ? [{ family, first: at.value, last: at.value, class: one }] : [],
    )
    .toSorted((a, b) => (a.first < b.first ? -1 : 1));
  return join(hosts);
}

function join(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const joined: AddressRange[] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    if (before?.class === range.class && before.last + 1n === range.first)
      joined[joined.length - 1] = { ...before, last: range.last };
    else joined.push(range);
  }
  return joined;
}

/** All that a table says of one family: disjoint and in order, single addresses in place of the blocks around them. */
export function spreadRanges(table: DirectionTable, family: 4 | 6): readonly AddressRange[] {
  const hosts = joinHosts(table, family);
  const blocks = table.blocks.filter((one) => one.family === family);
  const spread: AddressRange[] = [];
  let next = 0;
  const takeHosts = (until: bigint | undefined): void => {
    for (let host = hosts[next]; host !== undefined; host = hosts[next]) {
      if (until !== undefined && host.first >= until) return;
      spread.push(host);
      next += 1;
    }
  };
  for (const block of blocks) {
    takeHosts(block.first);
    // Of hosts that reach into the block only the rest is left of it.
    let from = block.first;
    const before = spread.at(-1);
    if (before !== undefined && before.last >= from) from = before.last + 1n;
    for (let host = hosts[next]; host !== undefined && host.first <= block.last;) {
      if (host.first > from) spread.push({ ...block, first: from, last: host.first - 1n });
      spread.push(host);
      from = host.last + 1n;
      next += 1;
      host = hosts[next];
    }
    if (from <= block.last) spread.push({ ...block, first: from });
  }
  takeHosts(undefined);
  return join(spread);
}
