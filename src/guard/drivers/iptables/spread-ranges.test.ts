// SPDX-License-Identifier: Apache-2.0
// Ranges in a row, held against the table that they come from.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress } from "#base/addresses.ts";
import { findClass } from "#policy/build-table.ts";
import type { AddressRange, DirectionTable } from "#policy/verdict-table.ts";
import { spreadRanges } from "./spread-ranges.ts";

const SPACE = 40;
const classes = [0, 1, 2].map(() => ({ everything: true, ranges: [] }));

const arbitraryTable = fc
  .record({
    hosts: fc.array(fc.tuple(fc.nat(SPACE), fc.nat(2))),
    cuts: fc.uniqueArray(fc.nat(SPACE), { maxLength: 12 }),
    kinds: fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
    family: fc.constantFrom(4 as const, 6 as const),
  })
  .map(({ hosts, cuts, kinds, family }): { family: 4 | 6; table: DirectionTable } => {
    const sorted = cuts.toSorted((a, b) => a - b);
    const blocks = sorted.slice(1).flatMap((end, index): AddressRange[] => {
      const [first, kind] = [sorted[index] ?? 0, kinds[index] ?? 3];
      // The last kind is a gap.
      if (kind === 3) return [];
      return [{ family, first: BigInt(first), last: BigInt(end - 1), class: kind }];
    });
    const single = new Map(hosts.map(([at, one]) => [formatAddress(family, BigInt(at)), one]));
    return { family, table: { classes, hosts: single, blocks } };
  });

test("every address has the class that the table says, in ranges that are in order and apart", () => {
  fc.assert(
    fc.property(arbitraryTable, ({ table, family }) => {
      const ranges = spreadRanges(table, family);
      for (const [index, { first, last }] of ranges.entries()) {
        assert.ok(first <= last);
        const before = ranges[index - 1];
        assert.ok(before === undefined || before.last < first);
      }
      for (let at = 0n; at <= BigInt(SPACE) + 1n; at += 1n) {
        const found = ranges.find(({ first, last }) => first <= at && at <= last)?.class;
        assert.equal(found, findClass(table, formatAddress(family, at)), String(at));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("neighbours of one class are one range, and the other family's are left out", () => {
  const hosts = new Map(["10.0.0.3", "10.0.0.1", "10.0.0.2", "fd00::1"].map((one) => [one, 0]));
  const ranges = spreadRanges({ classes, hosts, blocks: [] }, 4);
  assert.deepEqual(ranges, [{ family: 4, first: 0x0a000001n, last: 0x0a000003n, class: 0 }]);
});
