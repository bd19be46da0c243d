// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { compareDrift } from "./drift.ts";
import { renderMap } from "./render-map.ts";
import { arbitraryMembers, arbitraryShape, declare, membersOf } from "./testing/arbitraries.ts";

const draw = (value: unknown, names: string, options = {}): string =>
  renderMap(buildTopology(declare(value), membersOf(names)), options);

describe("renderMap()", () => {
  test("draws a tree as a tree", () => {
    assert.equal(
      draw({ kind: "tree" }, "abcdef"),
      `tree of 6 members, 5 links, root a, longest way 4 hops, does not relay

a
├─ b
│  ├─ d
│  └─ e
└─ c
   └─ f

single points of failure: a, b, c
links without another way round: a ─ b, a ─ c, b ─ d, b ─ e, c ─ f
`,
    );
  });

  test("draws a ring as a round, and a star from its hub", () => {
    assert.equal(
      draw({ kind: "ring", directed: true, relay: true }, "abc"),
      "ring of 3 members, 3 links, longest way 2 hops, relays up to 10 hops\n\na → b → c → a\n",
    );
    assert.match(draw({ kind: "star", hub: "b" }, "abc"), /hub b.*\n\nb\n├─ a\n└─ c\n/);
    assert.match(draw({ kind: "ring" }, "a"), /\n\na\n$/);
  });

  test("lists the links of a mesh, and says which parts cannot reach each other", () => {
    const links = [
      { from: "a", to: "b" },
      { from: "c", to: "d" },
    ];
    assert.equal(
      draw({ kind: "custom", links }, "abcde"),
      `custom of 5 members, 2 links, longest way 1 hop, does not relay

a ─ b
b ─ a
c ─ d
d ─ c
e ·

3 parts that cannot reach each other: a +1, c +1, e
links without another way round: a ─ b, c ─ d
`,
    );
  });

  test("shows drift beside what is declared", () => {
    const graph = buildTopology(declare({ kind: "ring" }), membersOf("abcd"));
    const drift = compareDrift(graph, [
      { from: "a", to: "b", count: 3 },
      { from: "c", to: "a", count: 2 },
    ]);
    const text = renderMap(graph, { drift });
    assert.match(text, /\nseen but not declared: a ─ c \(2\)\n/);
    assert.match(text, /\ndeclared but not seen: a ─ d, b ─ c, c ─ d\n$/);
  });

  test("says how far members are apart when that is too far, and what it leaves out", () => {
    const text = draw({ kind: "ring", relay: true, hopsMax: 2 }, "abcdefgh");
    assert.match(text, /\n24 pairs farther apart than 2 hops\n$/);
    assert.match(draw({ kind: "mesh" }, "abcdef", { linesMax: 4 }), /\n… and 2 more lines\n/);
  });

  test("no line is longer than the width, and everybody is on the map", () => {
    fc.assert(
      fc.property(
        arbitraryShape.filter(({ kind }) => kind === "ring" || kind === "mesh"),
        arbitraryMembers(),
        fc.integer({ min: 40, max: 120 }),
        (shape, members, width) => {
          const text = renderMap(buildTopology(shape, members), { width });
          for (const line of text.split("\n")) assert.ok(line.length <= width, line);
          for (const { name } of members) assert.ok(text.includes(name));
        },
      ),
    );
  });
});
