// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WinnerTree } from "./winner-tree.ts";

test("the winner is the least of all, whatever was set before", () => {
  const change = fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 4 }), fc.nat({ max: 4 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 200 }), (changes) => {
      const tree = new WinnerTree(13);
      const keys: (readonly [number, number])[] = Array.from({ length: 13 }, () => [1e9, 1e9]);
      for (const [leaf, first, second] of changes) {
        tree.set(leaf, first, second);
        keys[leaf] = [first, second];
        const [best] = keys
          .map((key, at) => ({ key, at }))
          .sort((a, b) => {
            const [x, y] = [a.key[0] - b.key[0], a.key[1] - b.key[1]];
            return x || y || a.at - b.at;
          });
        assert.equal(tree.winner, best?.at);
      }
    }),
  );
});
