// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TopologyDeclaration, TopologyGraph } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { groupMembers } from "./cuts.ts";
import { diffLinks } from "./links.ts";
import { measureTopology } from "./metrics.ts";
import { rewire } from "./rewire.ts";
import {
  arbitraryMembers,
  arbitraryShape,
  declare,
  memberNamed,
  membersOf,
} from "./testing/arbitraries.ts";

const show = (graph: TopologyGraph): string =>
  graph.links.map(({ from, to }) => from + to).join(" ");

/** Connected, and with as many links a member as the shape allows. */
function assertShape(graph: TopologyGraph, declaration: TopologyDeclaration): void {
  const count = graph.members.length;
  assert.ok(groupMembers(graph).length === Math.min(1, count), "in one part");
  const { degrees, unreachablePairs, linkCount } = measureTopology(graph);
  const sizes = Object.values(degrees);
  assert.equal(unreachablePairs, 0);
  switch (declaration.kind) {
    case "star":
      assert.equal(linkCount, Math.max(0, count - 1));
      assert.equal(degrees[graph.hub ?? ""] ?? 0, Math.max(0, count - 1));
      break;
    case "ring":
      assert.ok(sizes.every((size) => size === Math.min(2, count - 1)));
      break;
    case "mesh": {
      const degree = Math.min(declaration.degree ?? count, Math.max(0, count - 1));
      const short = sizes.filter((size) => size !== degree);
      assert.ok(short.length === (degree * count) % 2, `${short.join()} of ${degree}`);
      assert.ok(short.every((size) => size === degree - 1));
      break;
    }
    case "tree":
      assert.equal(linkCount, Math.max(0, count - 1));
      assert.ok((degrees[graph.hub ?? ""] ?? 0) <= declaration.fanout);
      assert.ok(sizes.every((size) => size <= declaration.fanout + 1));
      break;
    case "custom":
      assert.fail("not among the shapes");
  }
  if (declaration.kind === "star" || declaration.kind === "tree") {
    const wanted = declaration.kind === "star" ? declaration.hub : declaration.root;
    if (wanted !== undefined && graph.members.includes(wanted)) assert.equal(graph.hub, wanted);
  }
}

/** How many links may change when one member joins or leaves. */
function boundChanges(
  before: TopologyGraph,
  after: TopologyGraph,
  declaration: TopologyDeclaration,
): number {
  const count = Math.max(before.members.length, after.members.length);
  switch (declaration.kind) {
    case "ring":
      return 3;
    case "star":
      return before.hub === after.hub ? 1 : 2 * count;
    case "mesh":
      return 6 * Math.min(declaration.degree ?? count, count) + 4;
    case "tree":
      return 6 * (declaration.fanout + 1);
    case "custom":
      return before.links.length + after.links.length;
  }
}

describe("buildTopology()", () => {
  test("connects everybody within the degrees of the shape, whatever the members", () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(), (declaration, members) => {
        assertShape(buildTopology(declaration, members), declaration);
      }),
    );
  });

  test("gives the same graph in whatever order members come", () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(), (declaration, members) => {
        assert.deepEqual(
          buildTopology(declaration, members.toReversed()),
          buildTopology(declaration, members),
        );
      }),
    );
  });

  test("makes the shapes that one draws", () => {
    const draw = (value: unknown, names: string): string =>
      show(buildTopology(declare(value), membersOf(names)));
    assert.equal(draw({ kind: "star" }, "bacd"), "ab bc bd");
    assert.equal(draw({ kind: "star", hub: "c" }, "bacd"), "ac bc cd");
    assert.equal(draw({ kind: "ring" }, "abcd"), "ab ad bc cd");
    assert.equal(draw({ kind: "ring", directed: true }, "abc"), "ab bc ca");
    assert.equal(draw({ kind: "ring", directed: true }, "ab"), "ab ba");
    assert.equal(draw({ kind: "mesh" }, "abc"), "ab ac bc");
    assert.equal(draw({ kind: "tree" }, "abcdef"), "ab ac bd be cf");
    const links = [
      { from: "b", to: "a" },
      { from: "a", to: "z" },
    ];
    assert.equal(draw({ kind: "custom", links }, "abc"), "ab");
    assert.equal(draw({ kind: "custom", links, directed: true }, "abc"), "ba");
  });

  test("a ring passes each region once", () => {
    const members = ["eu", "us", "eu", "us"].map((region, i) => ({
      ...memberNamed(`m${i}`, i),
      locality: { region },
    }));
    assert.equal(show(buildTopology(declare({ kind: "ring" }), members)), "m0m2 m0m3 m1m2 m1m3");
  });

  test("refuses names that are there twice, that are none, and links to oneself", () => {
    const build = (text: unknown, names: string) => () =>
      buildTopology(declare(text), membersOf(names));
    assert.throws(build({ kind: "star" }, "aa"), /a is there twice/);
    assert.throws(build({ kind: "star" }, "A"), /no name of a member/);
    const links = [{ from: "a", to: "a" }];
    assert.throws(build({ kind: "custom", links }, "a"), /linked to itself/);
  });
});

describe("rewire()", () => {
  test("keeps the shape and changes few links, through any coming and going", () => {
    fc.assert(
      fc.property(
        arbitraryShape,
        arbitraryMembers(),
        fc.array(fc.record({ index: fc.nat(), joins: fc.boolean() }), { maxLength: 20 }),
        (declaration, first, changes) => {
          let members = first;
          let graph = buildTopology(declaration, members);
          for (const [i, { index, joins }] of changes.entries()) {
            members = joins
              ? [...members, memberNamed(`late-${i}-${index}`, 100 + i)]
              : members.filter((_, at) => at !== index % members.length);
            const { added, removed, ...after } = rewire(graph, declaration, members);
            assertShape(after.graph, declaration);
            const [most, changed] = [
              boundChanges(graph, after.graph, declaration),
              added.length + removed.length,
            ];
            assert.ok(changed <= most, `${changed} links of at most ${most}: ${after.reason}`);
            assert.deepEqual({ added, removed }, diffLinks(graph, after.graph));
            graph = after.graph;
          }
        },
      ),
    );
  });

  test("keeps the shape when many come and go at once", () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(), arbitraryMembers(), (shape, old, fresh) => {
        assertShape(rewire(buildTopology(shape, old), shape, fresh).graph, shape);
      }),
    );
  });

  test("changes nothing when nothing has changed", () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(), arbitraryMembers(), (shape, old, fresh) => {
        const once = rewire(buildTopology(shape, old), shape, fresh).graph;
        const twice = rewire(once, shape, fresh);
        assert.deepEqual(twice.graph, once);
        assert.equal(twice.reason, "nothing has changed");
      }),
    );
  });

  test("takes any graph to any declaration", () => {
    fc.assert(
      fc.property(
        arbitraryShape,
        arbitraryShape,
        arbitraryMembers(),
        arbitraryMembers(),
        (was, shape, old, fresh) => {
          assertShape(rewire(buildTopology(was, old), shape, fresh).graph, shape);
        },
      ),
    );
  });

  test("says why: a ring closes, a star elects, a mesh keeps its degree, orphans hang elsewhere", () => {
    const say = (value: unknown, before: string, after: string): string => {
      const declaration = declare(value);
      const members = membersOf("abcdefgh");
      const pick = (text: string) => members.filter(({ name }) => text.includes(name));
      const graph = buildTopology(declaration, pick(before));
      return rewire(graph, declaration, pick(after)).reason;
    };
    assert.equal(say({ kind: "ring" }, "abcd", "acd"), "b is gone: the ring closes");
    assert.equal(say({ kind: "star" }, "abcd", "bcd"), "a is gone: b becomes the hub");
    assert.equal(say({ kind: "star", hub: "d" }, "abc", "abcd"), "d joined: d becomes the hub");
    const mesh = { kind: "mesh", degree: 2 };
    assert.equal(say(mesh, "abcdef", "bcdefg"), "a is gone, g joined: the mesh keeps its degree");
    assert.equal(say({ kind: "tree" }, "abcdef", "acdef"), "b is gone: orphans hang elsewhere");
    assert.equal(say({ kind: "tree" }, "ab", ""), "a, b are gone: nobody is left");
    assert.equal(
      say({ kind: "mesh" }, "a", "abcdef"),
      "b, c, d and 2 more joined: the mesh keeps its degree",
    );
  });

  test("the hub stays although an older member comes, until it goes", () => {
    const star = declare({ kind: "star" });
    const graph = buildTopology(star, [memberNamed("b", 5), memberNamed("c", 9)]);
    const later = rewire(graph, star, [
      memberNamed("a", 1),
      memberNamed("b", 5),
      memberNamed("c", 9),
    ]);
    assert.equal(later.graph.hub, "b");
    const gone = rewire(later.graph, star, [memberNamed("a", 1), memberNamed("c", 9)]);
    assert.equal(gone.hub, "a");
  });

  test("a ring of two closes around whoever comes, and what is no ring is made anew", () => {
    const ring = declare({ kind: "ring" });
    const graph = { ...buildTopology(ring, membersOf("abcd")), links: [{ from: "a", to: "b" }] };
    const { reason, graph: after } = rewire(graph, ring, membersOf("abcd"));
    assert.match(reason, /made anew as a ring/);
    assert.equal(after.links.length, 4);
  });
});

test("of 10,000 members one goes and one comes: few links change, whatever the shape", (t) => {
  const names = Array.from({ length: 10_000 }, (_, i) => `agent-${String(i).padStart(5, "0")}`);
  const members = names.map((name, i) => memberNamed(name, i));
  const changed = [
    ...members.slice(0, 5_000),
    ...members.slice(5_001),
    memberNamed("late", 20_000),
  ];
  for (const shape of [
    declare({ kind: "ring" }),
    declare({ kind: "star" }),
    declare({ kind: "mesh", degree: 6 }),
    declare({ kind: "tree", fanout: 4 }),
  ]) {
    const graph = buildTopology(shape, members);
    const beganMs = performance.now();
    const { added, removed, joined, left } = rewire(graph, shape, changed);
    t.diagnostic(`${shape.kind}: ${Math.round(performance.now() - beganMs)} ms`);
    assert.deepEqual([joined, left], [["late"], ["agent-05000"]]);
    assert.ok(added.length + removed.length <= 40, `${added.length} and ${removed.length}`);
  }
});
