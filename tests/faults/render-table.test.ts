// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { atMost, tell, within } from "./figure.ts";
import { renderTable } from "./render-table.ts";
import type { Outcome } from "./run-case.ts";

const outcome: Outcome = {
  name: "split",
  rows: "R07",
  about: "two sides",
  figures: [
    within("gone", 5_700, 6_000),
    within("again", 2_600, 2_000),
    tell("web inside", "99 %"),
    atMost("wrong answers", 0, 0),
    atMost("singletons at once", 2, 1),
  ],
  availability: { web: 1, one: 0.975, eager: Number.NaN },
  wrong: 0,
  calmMs: 100,
};

test("each figure with a goal has a line, with what the client saw; what was missed says so", () => {
  assert.deepEqual(renderTable([outcome]).split("\n"), [
    "case   rows  answered     wrong  measured               goal  held",
    "split  R07   97.50 % one  0      gone: 5.7s             ≤ 6s  yes",
    "                                 again: 2.6s            ≤ 2s  NO",
    "                                 singletons at once: 2  ≤ 1   NO",
  ]);
});
