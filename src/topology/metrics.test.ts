// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
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

  test("nobody is measured too", () => {
    const metrics = measureTopology(custom("", ""));
    assert.equal(metrics.diameter, undefined);
    assert.deepEqual(metrics.degree, { min: 0, max: 0, mean: 0 });
  });
});

describe("compareDrift()", () => {
  test("tells links that are missing, used and unexpected, with what was seen", () => {
    const observed = [
      { from: "b", to: "a", count: 2 },
      { from: "a", to: "b", count: 3 },
      { from: "a", to: "c", count: 7 },
      { from: "z", to: "a", count: 1 },
      { from: "a", to: "a", count: 9 },
      { from: "b", to: "c", count: 0 },
    ];
    const drift = compareDrift(custom("ab bc", "abc"), observed);
    assert.deepEqual(drift, {
      missing: linksOf("bc"),
      unexpected: [
        { from: "a", to: "c", count: 7 },
        { from: "a", to: "z", count: 1 },
      ],
      used: [{ from: "a", to: "b", count: 5 }],
      missingCount: 1,
      unexpectedCount: 2,
      unexpectedMessages: 8,
    });
    const oneWay = compareDrift(custom("ab", "abc", { directed: true }), observed);
    assert.deepEqual(oneWay.unexpected[1], { from: "b", to: "a", count: 2 });
  });

  test("every declared link is missing or used, every message expected or not", () => {
    const observed = fc.array(
      fc.record({
        from: fc.constantFrom(...NAMES.split("")),
        to: fc.constantFrom(...NAMES.split("")),
        count: fc.nat(5),
      }),
    );
    fc.assert(
      fc.property(arbitraryGraph, observed, (graph, seen) => {
        const drift = compareDrift(graph, seen);
        assert.equal(drift.missingCount + drift.used.length, graph.links.length);
        const total = (links: readonly { count: number }[]): number =>
          links.reduce((sum, { count }) => sum + count, 0);
        const between = seen.filter(({ from, to }) => from !== to);
        assert.equal(total(drift.used) + drift.unexpectedMessages, total(between));
      }),
    );
  });
});
