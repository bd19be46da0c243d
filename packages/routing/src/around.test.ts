// SPDX-License-Identifier: Apache-2.0
// Retry budget, quantiles, paths.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { choosePath, expectTransfer, type PathLink } from "./choose-path.ts";
import { LatencyHistory } from "./latency-history.ts";
import { RetryBudget } from "./retry-budget.ts";

test("repetitions never exceed their share of the calls and what is spare", () => {
  const steps = fc.array(fc.boolean(), { maxLength: 500 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 100 }), (each, percent) => {
      const budget = new RetryBudget(percent / 100);
      let [calls, repeated] = [0, 0];
      for (const isCall of each) {
        if (isCall) {
          calls++;
          budget.deposit();
        } else if (budget.take()) repeated++;
        assert.ok(repeated <= (percent === 0 ? 0 : 10) + (calls * percent) / 100 + 1e-9);
      }
    }),
  );
});

test("quantiles are right to 10 %, and follow what changes", () => {
  const history = new LatencyHistory();
  for (let ms = 1; ms <= 500; ms++) history.add(ms);
  const p95 = history.quantile(0.95) ?? 0;
  assert.ok(p95 >= 475 && p95 <= 475 * 1.1, String(p95));
  for (let answer = 0; answer < 20_000; answer++) history.add(2);
  assert.ok((history.quantile(0.95) ?? 0) < 2.3);
});

const NODES = ["a", "b", "c", "d", "e"];
const LINKS: fc.Arbitrary<readonly PathLink[]> = fc.array(
  fc.record({
    from: fc.constantFrom(...NODES),
    to: fc.constantFrom(...NODES),
    latencyMs: fc.integer({ min: 0, max: 100 }),
    bandwidthMbitS: fc.integer({ min: 1, max: 1_000 }),
  }),
  { maxLength: 12 },
);

/** Least time by trying every way of at most as many hops as there are nodes (Bellman-Ford). */
function measureBest(links: readonly PathLink[], sizeBytes: number): number {
  const times = new Map<string, number>([["a", 0]]);
  const measured = new Map(links.map((link) => [`${link.from} ${link.to}`, link]));
  const reversed = [...measured.values()]
    .map((link) => ({ ...link, from: link.to, to: link.from }))
    .filter(({ from, to }) => !measured.has(`${from} ${to}`));
  for (const _ of NODES)
    for (const link of [...measured.values(), ...reversed]) {
      const ms = (times.get(link.from) ?? Infinity) + expectTransfer(link, sizeBytes);
      if (ms < (times.get(link.to) ?? Infinity)) times.set(link.to, ms);
    }
  return times.get("e") ?? Infinity;
}

test("no way is quicker than the one that is chosen, and its hops join", () => {
  fc.assert(
    fc.property(LINKS, fc.integer({ min: 0, max: 10_000_000 }), (links, sizeBytes) => {
      const path = choosePath(links, "a", "e", sizeBytes);
      const best = measureBest(links, sizeBytes);
      assert.ok(path === undefined ? best === Infinity : Math.abs(path.expectedMs - best) < 1e-6);
      if (path === undefined) return;
      const sum = path.hops.reduce((total, { expectedMs }) => total + expectedMs, 0);
      assert.ok(Math.abs(sum - path.expectedMs) < 1e-6);
      assert.deepEqual(
        path.hops.map(({ from }) => from),
        ["a", ...path.hops.slice(0, -1).map(({ to }) => to)],
      );
    }),
  );
});

test("a small message takes the quick link, a large one the wide way", () => {
  const links: PathLink[] = [
    { from: "a", to: "c", latencyMs: 5, bandwidthMbitS: 1 },
    { from: "a", to: "b", latencyMs: 20, bandwidthMbitS: 1_000 },
    { from: "b", to: "c", latencyMs: 20, bandwidthMbitS: 1_000 },
  ];
  assert.equal(choosePath(links, "a", "c", 100)?.hops.length, 1);
  assert.equal(choosePath(links, "a", "c", 1_000_000)?.hops.length, 2);
  assert.equal(choosePath(links, "c", "a", 1_000_000)?.hops.length, 2);
  assert.deepEqual(choosePath(links, "a", "a", 1), { hops: [], expectedMs: 0 });
  assert.equal(choosePath(links, "a", "z", 1), undefined);
});
