// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { groupMembers } from "./cuts.ts";
import { compareDrift } from "./drift.ts";
import { measureTopology } from "./metrics.ts";
import { declare, membersOf } from "./testing/arbitraries.ts";

const NAMES = "abcdefghi";

const linksOf = (text: string) =>
  text
    .split(" ")
    .filter((pair) => pair !== "")
    .map(([from = "", to = ""]) => ({ from, to }));

const custom = (text: string, names: string, more: object = {}): TopologyGraph =>
  buildTopology(declare({ kind: "custom", links: linksOf(text), ...more }), membersOf(names));

/** Any graph of up to nine members. */
const arbitraryGraph = fc
  .tuple(
    fc.integer({ min: 0, max: NAMES.length }),
    fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 16 }),
  )
  .map(([count, pairs]) =>
    custom(
      pairs
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => `${NAMES[a] ?? ""}${NAMES[b] ?? ""}`)
        .join(" "),
      NAMES.slice(0, count),
    ),
  );

describe("measureTopology()", () => {
  test("finds the points and links whose loss leaves more parts", () => {
    fc.assert(
      fc.property(arbitraryGraph, (graph) => {
        const { articulationPoints, bridges, components } = measureTopology(graph);
        const { members, links, directed } = graph;
        const partsWithout = members.filter((gone) => {
          const rest = links.filter(({ from, to }) => from !== gone && to !== gone);
          const left = members.filter((name) => name !== gone);
          const isAlone = !links.some(({ from, to }) => from === gone || to === gone);
          const parts = groupMembers({ directed, members: left, links: rest }).length;
          return parts > components.length - (isAlone ? 1 : 0);
        });
        assert.deepEqual(articulationPoints, partsWithout);
        const cutting = links.filter((gone) => {
          const rest = links.filter((link) => link !== gone);
          return groupMembers({ directed, members, links: rest }).length > components.length;
        });
        assert.deepEqual(bridges, cutting);
      }),
      { numRuns: 300 },
    );
  });

  test("measures two triangles that hold together in one member", () => {
    const metrics = measureTopology(custom("ab bc ca cd de ec", "abcdef"));
    assert.deepEqual(metrics.components, [["a", "b", "c", "d", "e"], ["f"]]);
    assert.equal(metrics.diameter, 2);
    assert.equal(metrics.unreachablePairs, 10);
    assert.deepEqual(metrics.articulationPoints, ["c"]);
    assert.deepEqual(metrics.bridges, []);
    assert.deepEqual(metrics.degree, { min: 0, max: 4, mean: 2 });
    assert.equal(metrics.degrees["c"], 4);
  });

  test("a way of one direction counts for ways, not for parts", () => {
    const metrics = measureTopology(custom("ba bc", "abc", { directed: true }));
    assert.equal(metrics.components.length, 1);
    assert.equal(metrics.unreachablePairs, 4);
    assert.deepEqual(metrics.bridges, linksOf("ba bc"));
  });

  test("a line of 20,000 members is walked without recursion, and hops that are too many counted", () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `m${String(i).padStart(5, "0")}`);
    const links = names.slice(1).map((to, i) => ({ from: names[i] ?? "", to }));
    assert.equal(groupMembers({ directed: false, members: names, links }).length, 1);
    const line = custom("ab bc cd", "abcd", { hopsMax: 2 });
    assert.equal(measureTopology(line).pairsBeyondHops, 2);
  });

  test("ways that are too many are said to be not measured; parts and cut points are known", () => {
    const text = "ab bc ca cd de ec";
    const { waysMeasured, diameter, pairsBeyondHops, ...rest } = measureTopology(
      custom(text, "abcdef"),
    );
    const bounded = measureTopology(custom(text, "abcdef"), 20);
    assert.deepEqual([waysMeasured, diameter, pairsBeyondHops], [true, 2, 0]);
    assert.deepEqual(bounded, {
      ...rest,
      waysMeasured: false,
      diameter: undefined,
      pairsBeyondHops: undefined,
    });
    const oneWay = measureTopology(custom("ab bc", "abc", { directed: true }), 5);
    assert.equal(oneWay.unreachablePairs, undefined);
    assert.deepEqual(oneWay.articulationPoints, ["b"]);
  });

  test("a ring of 20,000 is not walked from each of its members", () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `m${i}`);
    const links = names.map((from, i) => ({ from, to: names[(i + 1) % names.length] ?? "" }));
    const ring: TopologyGraph = { ...custom("", ""), members: names, links };
    assert.equal(measureTopology(ring).waysMeasured, false);
    assert.deepEqual(measureTopology(ring).bridges, []);
  });

  test("lengths of ways are those that counting link by link gives", () => {
    fc.assert(
      fc.property(arbitraryGraph, fc.boolean(), (graph, directed) => {
        const some = { ...graph, directed, hopsMax: 2 };
        const { members, links } = some;
        const far = new Map(
          members.flatMap((a) => members.map((b) => [`${a} ${b}`, a === b ? 0 : Infinity])),
        );
        for (const { from, to } of links) {
          far.set(`${from} ${to}`, 1);
          if (!directed) far.set(`${to} ${from}`, 1);
        }
        const of = (a: string, b: string): number => far.get(`${a} ${b}`) ?? Infinity;
        for (const via of members)
          for (const a of members)
            for (const b of members)
              far.set(`${a} ${b}`, Math.min(of(a, b), of(a, via) + of(via, b)));
        const found = [...far.values()].filter(Number.isFinite);
        const metrics = measureTopology(some);
        assert.equal(metrics.diameter, members.length === 0 ? undefined : Math.max(...found));
        assert.equal(metrics.unreachablePairs, far.size - found.length);
        assert.equal(metrics.pairsBeyondHops, found.filter((length) => length > 2).length);
      }),
    );
  });

  test("nobody is measured too", () => {
    const metrics = measureTopology(custom("", ""));
    assert.equal(metrics.diameter, undefined);
    assert.deepEqual(metrics.degree, { min: 0, max: 0, mean: 0 });
  });
});

describe("compareDrift()", () => {
  const seen = (from: string, to: string, used: number, refused = 0, lastSeenMs = 5) => ({
    from,
    to,
    used,
    refused,
    lastSeenMs,
  });

  test("tells links that are unused, used and undeclared, and tries that were refused", () => {
    const observed = [
      seen("b", "a", 2),
      seen("a", "b", 3),
      seen("a", "c", 7, 2, 9),
      seen("z", "a", 1),
      seen("a", "a", 9),
      seen("b", "c", 0),
    ];
    const drift = compareDrift(custom("ab bc", "abc"), observed);
    assert.deepEqual(drift, {
      unused: linksOf("bc"),
      unknown: [],
      undeclared: [seen("a", "c", 7, 2, 9)],
      used: [seen("a", "b", 5)],
      refused: [seen("a", "c", 7, 2, 9)],
    });
    const oneWay = compareDrift(custom("ab", "abc", { directed: true }), observed);
    assert.deepEqual(oneWay.undeclared[1], seen("b", "a", 2));
    const later = compareDrift(custom("ab bc", "abc"), observed, { declaredAtMs: 9 });
    assert.deepEqual(later.undeclared, [], "seen while something else may have been declared");
  });

  test("nothing seen of one that does not tell is not known, not unused", () => {
    const { unused, unknown } = compareDrift(custom("ab bc cd", "abcd"), [], { silent: ["b"] });
    assert.deepEqual([unused, unknown], [linksOf("cd"), linksOf("ab bc")]);
    const oneWay = custom("ab bc", "abc", { directed: true });
    assert.deepEqual(compareDrift(oneWay, [], { silent: ["b"] }).unknown, linksOf("bc"));
  });

  test("every declared link is used, unused or not known, every message between members told of", () => {
    const one = fc.constantFrom(...NAMES.split(""));
    const link = fc.tuple(one, one, fc.nat(5), fc.nat(2)).map((parts) => seen(...parts));
    fc.assert(
      fc.property(
        arbitraryGraph,
        fc.array(link),
        fc.subarray(NAMES.split("")),
        (graph, all, silent) => {
          const drift = compareDrift(graph, all, { silent });
          const { used, unused, unknown, undeclared, refused } = drift;
          assert.equal(used.length + unused.length + unknown.length, graph.links.length);
          const between = all.filter(
            ({ from, to }) =>
              from !== to && graph.members.includes(from) && graph.members.includes(to),
          );
          const total = (links: readonly { used: number }[]): number =>
            links.reduce((sum, { used: count }) => sum + count, 0);
          assert.equal(total([...used, ...undeclared]), total(between));
          const tries = (links: readonly { refused: number }[]): number =>
            links.reduce((sum, { refused: count }) => sum + count, 0);
          assert.equal(tries(refused), tries(between));
        },
      ),
    );
  });
});
