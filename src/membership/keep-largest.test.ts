// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keepLargest } from "./keep-largest.ts";

test("it keeps the largest, whatever their order and however many are equal", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 })),
      fc.integer({ min: 1, max: 40 }),
      (items, count) => {
        const kept = keepLargest(items, count, (item) => item);
        const sorted = items.toSorted((a, b) => b - a).slice(0, count);
        assert.deepEqual(
          kept.toSorted((a, b) => b - a),
          sorted,
        );
      },
    ),
  );
});
