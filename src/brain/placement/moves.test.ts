// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import { chooseMoves, planRebalance } from "./moves.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import { placeServices } from "./place-services.ts";

const ONE = { movesMax: 1, busy: new Set<string>() };
const MANY = { movesMax: 10, busy: new Set<string>() };

describe("moves that have to be", () => {
  const nodes = [buildOffer("a", { draining: true }), buildOffer("b"), buildOffer("c")];
  const requests = [
    buildRequest({ service: "s/one", count: 3, standing: ["a", "a", "gone"] }),
    buildRequest({ service: "s/two", standing: ["a"] }),
    buildRequest({ service: "s/three", pins: [{ volume: "v", nodes: ["a"] }], standing: ["a"] }),
  ];

  test("one instance of a service at a time; what is lost needs no move, what has no place stays", () => {
    const placements = placeServices(nodes, requests);
    assert.deepEqual(placements[0]?.nodes.toSorted(), ["b", "b", "c"]);
    const two = placements[1]?.nodes[0];
    assert.deepEqual(
      chooseMoves(placements, MANY).map(({ service, from, reason }) => [service, from, reason]),
      [
        ["s/one", "a", "draining"],
        ["s/two", "a", "draining"],
      ],
    );
    assert.deepEqual(chooseMoves(placements, { movesMax: 1, busy: new Set(["s/one"]) }), [
      { service: "s/two", from: "a", to: two, reason: "draining" },
    ]);
  });

  test("a drained node is left within as many passes as it had instances", () => {
    let now: readonly PlaceRequest[] = requests.slice(0, 2);
    for (let pass = 0; pass < 3; pass++) {
      const moves = chooseMoves(placeServices(nodes, now), ONE);
      assert.equal(moves.length, 1);
      now = now.map((request) => {
        const move = moves.find(({ service }) => service === request.service);
        if (move === undefined) return request;
        return {
          ...request,
          standing: request.standing.with(request.standing.indexOf(move.from), move.to),
        };
      });
    }
    assert.deepEqual(chooseMoves(placeServices(nodes, now), ONE), []);
    assert.ok(!now.some(({ standing }) => standing.includes("a")));
  });
});

describe("moves for balance", () => {
  const rebalance = (nodes: readonly NodeOffer[], more: Partial<PlaceRequest>) =>
    planRebalance(nodes, [buildRequest(more)], MANY).map(({ from, to, reason }) => [
      from,
      to,
      reason,
    ]);

  test("from the fullest node to the one that joined", () => {
    const nodes = [buildOffer("a"), buildOffer("b"), buildOffer("c")];
    assert.deepEqual(rebalance(nodes, { count: 4, standing: ["a", "b", "a", "b"] }), [
      ["a", "c", "2 are together there, 0 where it goes"],
    ]);
    assert.deepEqual(rebalance(nodes, { count: 3, standing: ["a", "b", "c"] }), []);
  });

  test("zones come before nodes, and each zone is looked into", () => {
    const at = (id: string, zone: string) => buildOffer(id, { labels: { zone } });
    const nodes = [at("a", "x"), at("b", "x"), at("c", "y"), at("d", "y")];
    assert.deepEqual(rebalance(nodes, { count: 4, standing: ["a", "b", "b", "c"] }), [
      ["b", "d", "3 are together there, 1 where it goes"],
    ]);
    assert.deepEqual(rebalance(nodes, { count: 4, standing: ["a", "b", "c", "c"] }), [
      ["c", "d", "2 are together there, 0 where it goes"],
    ]);
  });

  test("single instances leave a node of which much is reserved, and no other", () => {
    const nodes = [buildOffer("a"), buildOffer("b")];
    const many = ["1", "2", "3"].map((name) =>
      buildRequest({ service: `s/${name}`, cpuMillis: 1_000, standing: ["a"] }),
    );
    assert.deepEqual(planRebalance(nodes, many, MANY), [
      { service: "s/1", from: "a", to: "b", reason: "75 % is reserved there, 0 % where it goes" },
    ]);
    const large = buildRequest({ cpuMillis: 3_000, standing: ["a"] });
    assert.deepEqual(planRebalance(nodes, [large], MANY), [], "it would be the same there");
  });

  test("never what is pinned, packs, is everywhere, is busy or has to move anyway", () => {
    const nodes = [buildOffer("a"), buildOffer("b"), buildOffer("c", { draining: true })];
    const standing = ["a", "a"];
    assert.equal(rebalance(nodes, { count: 2, standing }).length, 1);
    assert.deepEqual(rebalance(nodes, { count: 2, standing, strategy: "pack" }), []);
    const pins = [{ volume: "v", nodes: ["a", "b"] }];
    assert.deepEqual(rebalance(nodes, { count: 2, standing, pins }), []);
    assert.deepEqual(rebalance(nodes, { count: 3, standing: [...standing, "c"] }), []);
    assert.deepEqual(
      planRebalance(nodes, [buildRequest({ count: 2, standing })], {
        movesMax: 9,
        busy: new Set(["shop/web"]),
      }),
      [],
    );
  });
});
