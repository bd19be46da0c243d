// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Locality } from "@fairlead/protocol/agent.ts";
import fc from "fast-check";
import { Balancer } from "./balancer.ts";
import { measureDistance, rankPlace } from "./distance.ts";
import { makeEndpoints, makeRandom, readPolicy } from "./testing/make-endpoints.ts";

const BERLIN: Locality = { zone: "a", region: "eu", latitude: 52.52, longitude: 13.405 };
const PARIS: Locality = { zone: "p", region: "fr", latitude: 48.8566, longitude: 2.3522 };
const SYDNEY: Locality = { zone: "s", region: "au", latitude: -33.8688, longitude: 151.2093 };

test("distances are those of the globe, the same in both directions", () => {
  assert.equal(Math.round(measureDistance(BERLIN, PARIS) ?? 0), 877);
  assert.equal(Math.round((measureDistance(BERLIN, SYDNEY) ?? 0) / 100), 161);
  assert.equal(measureDistance(BERLIN, { zone: "a" }), undefined);
  const place = fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  });
  fc.assert(
    fc.property(place, place, (a, b) => {
      const km = measureDistance(a, b) ?? -1;
      assert.ok(km >= 0 && km <= 20_016);
      assert.ok(Math.abs(km - (measureDistance(b, a) ?? -1)) < 1e-6);
    }),
  );
});

test("zone comes before region, region before distance, the unknown last", () => {
  const places = [
    BERLIN,
    { ...BERLIN, zone: "b" },
    { latitude: 52.4, longitude: 13.1 },
    PARIS,
    SYDNEY,
    {},
  ];
  const ranks = places.map((place) => rankPlace(BERLIN, place));
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(ranks).size, ranks.length);
  assert.notEqual(rankPlace(BERLIN, { zone: "a", region: "us" }), 0);
});

/** Share of the calls that stay in the caller's zone, of 10 instances there and 10 elsewhere. */
function measureNear(ill: number, full = 0): number {
  const balancer = new Balancer({ policy: readPolicy("locality spill=70%"), here: BERLIN });
  const endpoints = makeEndpoints(20, (index) => ({
    locality: index < 10 ? BERLIN : PARIS,
    healthy: index >= ill,
    load: index >= 10 - full && index < 10 ? 1 : 0,
  }));
  const random = makeRandom(9);
  const ids = Array.from({ length: 5_000 }, () => balancer.pick(endpoints, 0, random)?.id ?? "");
  return ids.filter((id) => Number(id.slice(1)) < 10).length / ids.length;
}

test("calls stay near while enough are well there, then spill over by what is lacking", () => {
  assert.equal(measureNear(0), 1);
  assert.equal(measureNear(3), 1);
  assert.ok(Math.abs(measureNear(6) - 0.4 / 0.7) < 0.03);
  assert.ok(Math.abs(measureNear(3, 3) - 0.4 / 0.7) < 0.03);
  assert.equal(measureNear(10), 0);
});

test("when all tiers are short, those that are left get everything", () => {
  const balancer = new Balancer({ policy: readPolicy("locality"), here: BERLIN });
  const endpoints = makeEndpoints(20, (index) => ({
    locality: index < 10 ? BERLIN : PARIS,
    healthy: index % 10 === 0,
  }));
  const random = makeRandom(4);
  const ids = Array.from({ length: 1_000 }, () => balancer.pick(endpoints, 0, random)?.id);
  assert.deepEqual(new Set(ids), new Set(["e0", "e10"]));
});
