// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TopologyDeclaration, TopologyGraph } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { buildTopology } from "./build.ts";
import { estimateDistanceKm } from "./distance.ts";
import { isSelected, selectMembers } from "./member.ts";
import { arbitraryMembers, arbitraryShape } from "./testing/arbitraries.ts";

const agent = (name: string, more: object = {}) => ({
  name,
  skills: ["sum", "search"],
  tags: { team: "blue" },
  locality: {},
  joinedAtMs: 5,
  ...more,
});

describe("selectMembers()", () => {
  test("takes all with an empty selector, else those of whom everything holds", () => {
    const takes = (selector: object): boolean => isSelected(selector, agent("worker-12"));
    assert.ok(takes({}));
    assert.ok(takes({ names: ["boss", "worker-*"] }));
    assert.ok(takes({ names: ["w*r-*2"], skills: ["sum"], tags: { team: "blue" } }));
    assert.ok(!takes({ names: [] }));
    assert.ok(!takes({ names: ["worker-*3", "work"] }));
    assert.ok(!takes({ skills: ["sum", "sing"] }));
    assert.ok(!takes({ tags: { team: "red" } }));
  });

  test("a star in a pattern stands for any letters, as a regular expression would have it", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 6 });
    const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
    fc.assert(
      fc.property(word, name, (pattern, text) => {
        const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text);
        assert.equal(isSelected({ names: [pattern] }, agent(text)), expected);
      }),
      { numRuns: 1_000 },
    );
  });

  test("agents of one name are one member, as old as the oldest", () => {
    const members = selectMembers({}, [
      agent("b"),
      agent("a", { joinedAtMs: 9 }),
      agent("a", { joinedAtMs: 2, locality: { zone: "z" } }),
    ]);
    assert.deepEqual(members, [
      { name: "a", locality: { zone: "z" }, joinedAtMs: 2 },
      { name: "b", locality: {}, joinedAtMs: 5 },
    ]);
  });
});

test("estimateDistanceKm() measures where it can and guesses by region and zone elsewhere", () => {
  const berlin = { latitude: 52.52, longitude: 13.405, region: "eu" };
  const paris = { latitude: 48.8566, longitude: 2.3522, region: "eu" };
  const km = estimateDistanceKm(berlin, paris);
  assert.ok(km > 870 && km < 885, String(km));
  assert.equal(estimateDistanceKm(berlin, { region: "eu" }), 0);
  assert.equal(estimateDistanceKm(berlin, { region: "eu", zone: "b" }), 100);
  assert.equal(estimateDistanceKm(berlin, { region: "us" }), 10_000);
});

test("declarations have defaults, and a graph passes through JSON", () => {
  assert.deepEqual(TopologyDeclaration.parse({ kind: "mesh" }), {
    kind: "mesh",
    members: {},
    relay: false,
    hopsMax: 10,
  });
  for (const wrong of [{ kind: "mesh", degree: 1 }, { kind: "ring", hub: "a" }, { kind: "line" }])
    assert.equal(TopologyDeclaration.safeParse(wrong).success, false);
  fc.assert(
    fc.property(arbitraryShape, arbitraryMembers(), (shape, members) => {
      const graph = buildTopology(shape, members);
      assert.deepEqual(TopologyGraph.parse(JSON.parse(JSON.stringify(graph))), graph);
    }),
  );
});
