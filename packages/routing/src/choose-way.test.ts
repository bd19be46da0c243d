// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PathLink } from "./choose-path.ts";
import { chooseWay } from "./choose-way.ts";

const link = (from: string, to: string, latencyMs: number, bandwidthMbitS = 1_000): PathLink => ({
  from,
  to,
  latencyMs,
  bandwidthMbitS,
});

const choose = (links: readonly PathLink[], isAround = false, betweenMax = 3) =>
  chooseWay(links, { from: "a", to: "c" }, { betweenMax, isAround });

test("the direct way is taken while it is not far worse", () => {
  assert.deepEqual(choose([link("a", "c", 9), link("a", "b", 3), link("b", "c", 3)]), []);
  assert.deepEqual(choose([link("a", "c", 0.4), link("a", "b", 0.1), link("c", "b", 0.05)]), []);
});

test("through another where the direct way is down, far slower or far narrower", () => {
  const around = [link("a", "b", 3), link("b", "c", 3)];
  assert.deepEqual(choose(around), ["b"]);
  assert.deepEqual(choose([link("a", "c", 40), ...around]), ["b"]);
  assert.deepEqual(choose([link("c", "a", 1, 1), ...around]), ["b"]);
});

test("what leads around is kept until the direct way is clearly good again", () => {
  const links = [link("a", "c", 10), link("a", "b", 3), link("b", "c", 3)];
  assert.deepEqual([choose(links, false), choose(links, true)], [[], ["b"]]);
});

test("no way is longer than allowed, and none is made up", () => {
  const chain = [link("a", "b", 1), link("b", "d", 1), link("d", "c", 1)];
  assert.deepEqual(choose(chain, false, 2), ["b", "d"]);
  assert.equal(choose(chain, false, 1), undefined);
  assert.equal(choose([link("a", "b", 1)]), undefined);
});
