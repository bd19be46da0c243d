// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import { placeServices } from "./place-services.ts";
import { describeMissing } from "./refusals.ts";

function describeOne(nodes: readonly NodeOffer[], more: Partial<PlaceRequest>): string {
  const [placement] = placeServices(nodes, [buildRequest(more)]);
  assert.ok(placement !== undefined);
  return describeMissing(placement);
}

test("which nodes failed which test, with what they lack", () => {
  const MIB = 2 ** 20;
  const nodes = [
    ...["a", "b", "c", "d"].map((id, at) => buildOffer(id, { memoryBytes: (100 + at) * MIB })),
    buildOffer("e", { closed: "cordoned" }),
    buildOffer("f", { memoryBytes: 512 * MIB }),
  ];
  assert.equal(
    describeOne(nodes, { count: 3, memoryBytes: 512 * MIB }),
    "2 of 3 have no node: memory on 5 (a, b, c, …: needs 512 MiB, at most 103 MiB free); cordoned on 1 (e)",
  );
  assert.equal(describeOne(nodes, {}), "");
  assert.equal(describeOne([], {}), "1 of 1 has no node: there is none");
  assert.equal(
    describeOne([buildOffer("a")], { cpuMillis: 4_500 }),
    "1 of 1 has no node: processor on 1 (a: needs 4.5 cores, at most 4 cores free)",
  );
});

test("ten thousand nodes and many tests are one short sentence", () => {
  const nodes = Array.from({ length: 10_000 }, (_, at) =>
    buildOffer(`node-${at}`, { closed: `closed for reason ${at % 7}` }),
  );
  const text = describeOne(nodes, {});
  assert.ok(text.length < 400, text);
  assert.ok(text.endsWith("; other tests on 4284"), text);
});
