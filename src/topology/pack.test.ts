// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { sortMembers } from "./member.ts";
import { packGraph, PackedGraph, PACKED_LINKS_MAX, unpackGraph } from "./pack.ts";
import { arbitraryMembers, arbitraryShape, declare, membersOf } from "./testing/arbitraries.ts";

test("a graph that was kept as JSON is the same, with its members", () => {
  fc.assert(
    fc.property(arbitraryShape, arbitraryMembers(), (shape, members) => {
      const graph = buildTopology(shape, members);
      const sorted = sortMembers(members);
      const text = JSON.stringify(packGraph(graph, sorted));
      const kept = unpackGraph(PackedGraph.parse(JSON.parse(text)));
      assert.deepEqual(kept?.graph, graph);
      const plain = sorted.map((member) => ({ ...member, locality: { ...member.locality } }));
      assert.deepEqual(kept?.members, plain);
    }),
  );
});

test("links that lead to nobody are no graph, and too many links are not kept", () => {
  const members = membersOf("ab");
  const graph = buildTopology(declare({ kind: "ring" }), members);
  const packed = packGraph(graph, members);
  assert.ok(packed !== undefined);
  assert.equal(unpackGraph({ ...packed, links: [0, 2] }), undefined);
  const links = Array.from({ length: PACKED_LINKS_MAX + 1 }, () => ({ from: "a", to: "b" }));
  assert.equal(packGraph({ ...graph, links }, members), undefined);
});
