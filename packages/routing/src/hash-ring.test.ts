// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Balancer } from "./balancer.ts";
import type { Endpoint } from "./endpoint.ts";
import { makeEndpoints, makeRandom, readPolicy } from "./testing/make-endpoints.ts";

const KEYS = Array.from({ length: 2_000 }, (_, index) => `user-${index}`);

function open(text: string): Balancer<Endpoint> {
  return new Balancer({ policy: readPolicy(text) });
}

test("when one leaves, only its keys move, and they are about an n-th", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.nat(), (size, which) => {
      const balancer = open("hash:user");
      const endpoints = makeEndpoints(size);
      const rest = endpoints.filter((_, index) => index !== which % size);
      const random = makeRandom(which);
      const pickAll = (from: readonly Endpoint[]): readonly (string | undefined)[] =>
        KEYS.map((key) => balancer.pick(from, 0, random, { key })?.id);
      const [before, after] = [pickAll(endpoints), pickAll(rest)];
      const moved = before.filter((id, at) => id !== after[at]);
      assert.ok(moved.every((id) => id === `e${which % size}`));
      assert.ok(moved.length <= (2 * KEYS.length) / size, `${moved.length} of ${size}`);
      assert.deepEqual(pickAll(endpoints), before);
    }),
    { numRuns: 30 },
  );
});

test("nobody gets more than the bound times the mean, whatever the keys", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(110, 125, 200),
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 300 }),
      (size, percent, keys) => {
        const balancer = open(`hash:user bound=${percent}%`);
        const endpoints = makeEndpoints(size);
        const load = new Map<string, number>();
        for (const [at, key] of keys.entries()) {
          const id = balancer.pick(endpoints, 0, makeRandom(at), { key: `k${key}` })?.id ?? "";
          balancer.started(id);
          load.set(id, (load.get(id) ?? 0) + 1);
          const most = Math.ceil(((percent / 100) * (at + 1)) / size);
          assert.ok((load.get(id) ?? 0) <= most, `${load.get(id)} > ${most}`);
        }
      },
    ),
  );
});

test("without a key any instance is asked", () => {
  const balancer = open("hash:user");
  const endpoints = makeEndpoints(4);
  const random = makeRandom(2);
  const ids = new Set(KEYS.map(() => balancer.pick(endpoints, 0, random)?.id));
  assert.equal(ids.size, 4);
});
