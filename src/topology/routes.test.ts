// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { LinkSet } from "./links.ts";
import { canSend, createRouteTable, nextHop, refusalError } from "./routes.ts";
import { arbitraryMembers, arbitraryShape, declare, membersOf } from "./testing/arbitraries.ts";

const build = (value: unknown, names: string): TopologyGraph =>
  buildTopology(declare(value), membersOf(names));

/** Distances by relaxing links until nothing changes: slow, and nothing like the code. */
function relaxDistances(
  { members, links, directed }: TopologyGraph,
  to: string,
): Map<string, number> {
  const distances = new Map([[to, 0]]);
  const both = directed ? links : [...links, ...links.map((l) => ({ from: l.to, to: l.from }))];
  for (let i = 0; i < members.length; i++) {
    for (const link of both) {
      const over = (distances.get(link.to) ?? Number.POSITIVE_INFINITY) + 1;
      if (over < (distances.get(link.from) ?? Number.POSITIVE_INFINITY))
        distances.set(link.from, over);
    }
  }
  return distances;
}

describe("canSend()", () => {
  test("along a link it is allowed, otherwise refused with the reason", () => {
    const star = build({ kind: "star" }, "abc");
    assert.deepEqual(canSend(star, "b", "a"), { verdict: "allowed", path: ["b", "a"] });
    assert.deepEqual(canSend(star, "b", "b"), { verdict: "allowed", path: ["b"] });
    assert.deepEqual(canSend(star, "b", "c"), {
      verdict: "refused",
      why: "no-link",
      reason: "the star has no link from b to c, and does not relay",
    });
    assert.deepEqual(canSend(star, "b", "x"), {
      verdict: "refused",
      why: "not-a-member",
      reason: "x is not a member of the star",
    });
  });

  test("a scope that relays hands on, with the whole way", () => {
    const star = build({ kind: "star", relay: true }, "abc");
    assert.deepEqual(canSend(star, "b", "c"), {
      verdict: "relayed",
      next: "a",
      path: ["b", "a", "c"],
    });
  });

  test("in a ring of one direction the way back is the long one", () => {
    const ring = build({ kind: "ring", directed: true, relay: true }, "abcd");
    const verdict = canSend(ring, "b", "a");
    assert.deepEqual(verdict.verdict === "relayed" && verdict.path, ["b", "c", "d", "a"]);
  });

  test("ways beyond the hops allowed are refused, also when some are done already", () => {
    const ring = build({ kind: "ring", relay: true, hopsMax: 2 }, "abcdef");
    assert.equal(canSend(ring, "a", "c").verdict, "relayed");
    const far = canSend(ring, "a", "d");
    assert.equal(
      far.verdict === "refused" && far.reason,
      "from a to d it takes 3 hops, 2 are allowed",
    );
    const late = canSend(ring, "a", "b", 2);
    assert.equal(
      late.verdict === "refused" && late.reason,
      "from a to b it takes 3 hops with the 2 done, 2 are allowed",
    );
    assert.equal(canSend(ring, "a", "b", 1).verdict, "allowed");
  });

  test("parts without a way are told apart from missing links", () => {
    const links = [
      { from: "a", to: "b" },
      { from: "c", to: "d" },
    ];
    const verdict = canSend(build({ kind: "custom", links, relay: true }, "abcd"), "a", "d");
    assert.ok(verdict.verdict === "refused" && verdict.why === "no-path");
    const error = refusalError(verdict);
    assert.equal(error.kind.id, "FL0922");
    assert.equal(error.code, "permission_denied");
    assert.match(error.message, /no links of the topology lead from a to d/);
  });

  test("a message passed between two views that contradict each other is cut by its hops", () => {
    const view = (via: string, names: string): TopologyGraph =>
      build({ kind: "star", hub: via, relay: true, hopsMax: 10 }, names);
    // a believes that b is the hub, b believes that a is: each hands the message for d to the other.
    const views = new Map([
      ["a", view("b", "abd")],
      ["b", { ...view("a", "abd") }],
    ]);
    let [at, hops] = ["a", 0];
    for (;;) {
      const graph = views.get(at);
      assert.ok(graph);
      const verdict = canSend(graph, at, "d", hops);
      if (verdict.verdict === "refused") {
        assert.equal(verdict.why, "too-many-hops");
        break;
      }
      assert.equal(verdict.verdict, "relayed");
      at = verdict.verdict === "relayed" ? verdict.next : "";
      assert.ok(++hops <= 10);
    }
  });
});

describe("createRouteTable()", () => {
  test("ways are shortest, go along links and never pass a member twice", () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(14), (declaration, members) => {
        const graph = buildTopology(declaration, members);
        const links = new LinkSet(graph.directed, graph.links);
        const table = createRouteTable(graph);
        for (const to of graph.members) {
          const distances = relaxDistances(graph, to);
          for (const from of graph.members) {
            const path = table.findPath(from, to) ?? [];
            assert.equal(path.length - 1, distances.get(from));
            assert.equal(new Set(path).size, path.length);
            for (const [i, name] of path.slice(0, -1).entries()) {
              assert.ok(links.has(name, path[i + 1] ?? ""));
              assert.equal(nextHop(graph, name, to), path[i + 1]);
            }
          }
        }
      }),
    );
  });

  test("knows no way from or to strangers", () => {
    const table = createRouteTable(build({ kind: "ring" }, "abc"));
    assert.equal(table.findPath("x", "a"), undefined);
    assert.equal(table.findPath("x", "x"), undefined);
    assert.equal(table.nextHop("a", "x"), undefined);
  });
});
