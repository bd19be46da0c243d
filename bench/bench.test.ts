// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFigure } from "./bench.ts";

test("a figure has digits that say something, however small it is", () => {
  const shown = [12_345.6, 100, 99.94, 4.128, 1, 0.5, 0.012345, 0.0000456, 0, -0.02, Number.NaN];
  assert.deepEqual(shown.map(formatFigure), [
    "12346",
    "100",
    "99.9",
    "4.13",
    "1.00",
    "0.500",
    "0.0123",
    "0.0000456",
    "0.00",
    "-0.0200",
    "-",
  ]);
});
