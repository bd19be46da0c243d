// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLeft, NODE_LEFT_MS, toneOfEnd, warnOfNode } from "./certificate-end.ts";

const MINUTE_MS = 60_000;
const inMinutes = (count: number): number => Date.now() + count * MINUTE_MS;

test("a node whose certificate was not renewed is warned of while it lives", () => {
  assert.equal(warnOfNode({ state: "alive" }), "");
  assert.equal(warnOfNode({ state: "alive", certificateEndsMs: inMinutes(31) }), "");
  const soon = inMinutes(12);
  assert.equal(
    warnOfNode({ state: "alive", certificateEndsMs: soon }),
    "its certificate ends in 12m and was not renewed",
  );
  assert.equal(
    warnOfNode({ state: "alive", certificateEndsMs: inMinutes(-1) }),
    "its certificate has ended and was not renewed",
  );
  for (const state of ["gone", "left", "suspect"] as const)
    assert.equal(warnOfNode({ state, certificateEndsMs: soon }), "");
});

test("what is left is said in minutes, and coloured by whether it should be more", () => {
  assert.equal(formatLeft(inMinutes(31)), "31m");
  assert.equal(formatLeft(inMinutes(-1)), "");
  const tones = [31, 12, -1].map((left) => toneOfEnd(inMinutes(left), NODE_LEFT_MS));
  assert.deepEqual(tones, ["dim", "warn", "bad"]);
});
