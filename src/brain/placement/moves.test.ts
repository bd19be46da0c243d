// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import { planRebalance } from "./moves.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";

const MANY = { movesMax: 10, busy: new Set<string>() };

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
