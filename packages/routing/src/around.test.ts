// SPDX-License-Identifier: Apache-2.0
// Retry budget, quantiles, paths.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { choosePath, expectTransfer, reconsiderPath, type PathLink } from "./choose-path.ts";
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

test("a way that becomes better is not left for another", () => {
  fc.assert(
    fc.property(LINKS, fc.nat(11), fc.integer({ min: 1, max: 50 }), (links, which, gainMs) => {
      const path = choosePath(links, "a", "e", 0);
      const hop = path?.hops[which % Math.max(1, path.hops.length)];
      if (path === undefined || hop === undefined) return;
      const lastOf = (from: string, to: string): PathLink | undefined =>
        links.findLast((link) => link.from === from && link.to === to);
      const used = lastOf(hop.from, hop.to) ?? lastOf(hop.to, hop.from);
      assert.ok(used !== undefined);
      const fasterBy = Math.min(gainMs, used.latencyMs);
      const better = links.map((link) =>
        link === used ? { ...link, latencyMs: link.latencyMs - fasterBy } : link,
      );
      assert.equal(choosePath(better, "a", "e", 0)?.expectedMs, path.expectedMs - fasterBy);
    }),
  );
});

test("ways of about the same time do not take turns, a much better or a broken one is changed for", () => {
  const waver = fc.array(
    fc.array(fc.double({ min: 0.91, max: 1.09, noNaN: true }), { minLength: 12 }),
  );
  fc.assert(
    fc.property(LINKS, waver, (links, rounds) => {
      const first = choosePath(links, "a", "e", 1_000);
      if (first === undefined) return;
      let path = first;
      for (const factors of rounds) {
        const measured = links.map((link, i) => ({
          ...link,
          latencyMs: link.latencyMs * (factors[i] ?? 1),
        }));
        const next = reconsiderPath(measured, path, { from: "a", to: "e" }, 1_000);
        assert.ok(next !== undefined);
        path = next;
        const names = path.hops.map(({ to }) => to);
        assert.deepEqual(
          names,
          first.hops.map(({ to }) => to),
        );
      }
    }),
  );
  const slow = { from: "a", to: "e", latencyMs: 100, bandwidthMbitS: 1_000 };
  const present = choosePath([slow], "a", "e", 0);
  assert.ok(present !== undefined);
  const ends = { from: "a", to: "e" };
  const by = (latencyMs: number): readonly PathLink[] => [
    slow,
    { ...slow, to: "b", latencyMs },
    { ...slow, from: "b", latencyMs },
  ];
  assert.equal(reconsiderPath(by(41), present, ends, 0)?.hops.length, 1);
  assert.equal(reconsiderPath(by(39), present, ends, 0)?.hops.length, 2);
  assert.equal(reconsiderPath(by(90).slice(1), present, ends, 0)?.hops.length, 2);
  assert.equal(reconsiderPath([], present, ends, 0), undefined);
});
