// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ObservedLink, ObservedLinks } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { parseDot, renderDot } from "./dot.ts";
import { compareDrift } from "./drift.ts";
import { graphObserved, renderMap, renderObserved } from "./render-map.ts";
import {
  arbitraryMembers,
  arbitraryShape,
  declare,
  memberNamed,
  membersOf,
} from "./testing/arbitraries.ts";

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

  test("says of a graph with too many ways that their lengths are not measured", () => {
    const many = Array.from({ length: 3_000 }, (_, i) => memberNamed(`m${i}`, i));
    const [head, , note] = renderMap(
      buildTopology(declare({ kind: "ring", relay: true }), many),
    ).split("\n\n");
    assert.match(head ?? "", /^ring of 3000 members, 3000 links, longest way not measured, relays/);
    assert.equal(note, "how many pairs are farther apart than 10 hops is not measured\n");
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

  const seen = (from: string, to: string, used: number, refused = 0) => ({
    from,
    to,
    used,
    refused,
    lastSeenMs: 5,
  });
  const observe = (links: readonly ObservedLink[], more: Partial<ObservedLinks> = {}) => ({
    scope: "lab",
    sinceMs: 0,
    asOfMs: 600_000,
    links,
    agents: ["a", "b", "c", "d"],
    silent: [],
    omitted: 0,
    ...more,
  });

  test("shows drift beside what is declared, and that what is not told is not known", () => {
    const graph = buildTopology(declare({ kind: "ring" }), membersOf("abcd"));
    const links = [seen("a", "b", 3), seen("c", "a", 2), seen("d", "b", 0, 4)];
    const observed = observe(links, { silent: ["d"], omitted: 7 });
    const drift = compareDrift(graph, links, { silent: ["d"] });
    const text = renderMap(graph, { drift, observed, awaited: ["d"] });
    assert.equal(
      text.split("\n\n")[2],
      `not back yet, their places are kept: d
in use but not declared: a ─ c (2)
declared but not in use: b ─ c
declared, use not known: a ─ d, c ─ d
refused tries: b ─ d (4)
not told by, so not known of: d
7 messages on links too many to be told apart
`,
    );
  });

  test("draws links in use without a topology", () => {
    const links = [seen("a", "c", 12), seen("a", "gone", 1), seen("c", "a", 0, 3)];
    assert.equal(
      renderObserved(observe(links, { silent: ["d"] })),
      `2 links in use by 5 agents in the last 10 minutes

a    → c (12), gone (1)
b    ·
c    ·
d    ·
gone ·

not told by, so not known of: d
`,
    );
    const graph = graphObserved(observe(links));
    assert.match(renderDot(graph, links), /"a" -> "c" \[label="12"\];/);
    assert.deepEqual(parseDot(renderDot(graph, links), "map").links, graph.links);
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
