// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePolicy, writePolicy } from "./parse-policy.ts";
import { POLICY_DEFAULT, STRATEGIES, type Policy } from "./policy.ts";

function problemOf(text: string): string {
  const parsed = parsePolicy(text);
  return parsed.ok ? "none" : parsed.problem;
}

test("a strategy and its options are read in any order", () => {
  const text =
    "least-requests hedge=p95 retry=5% eject=3 breaker=100 slow-start=10s eject-time=1.5s";
  assert.deepEqual(parsePolicy(text), {
    ok: true,
    policy: {
      ...POLICY_DEFAULT,
      strategy: "least-requests",
      hedgeQuantile: 0.95,
      retryShare: 0.05,
      ejectAfter: 3,
      inFlightMax: 100,
      slowStartMs: 10_000,
      ejectMs: 1_500,
    },
  });
  assert.deepEqual(parsePolicy("hash:User-Id"), {
    ok: true,
    policy: { ...POLICY_DEFAULT, strategy: "hash", hashHeader: "user-id" },
  });
  assert.deepEqual(parsePolicy("eject=off retry=off"), {
    ok: true,
    policy: { ...POLICY_DEFAULT, ejectAfter: Infinity, retryShare: 0 },
  });
});

test("what is wrong is said with the word that was probably meant", () => {
  assert.equal(problemOf("emwa"), `"emwa" is no way of routing; did you mean "ewma"?`);
  assert.equal(
    problemOf("ewma hegde=p95"),
    `"hegde" is no option of routing; did you mean "hedge"?`,
  );
  assert.equal(problemOf("hash"), "hash needs the name of a header, as in hash:user-id");
  assert.equal(problemOf("hash:a b"), `"b" stands where an option like retry=20% is expected`);
  assert.equal(problemOf("ewma retry=2"), `retry="2" has to be a share like 20% or "off"`);
  assert.equal(problemOf("ewma retry=200%"), "retry=200% is not between 0% and 100%");
  assert.equal(problemOf("ewma spill=off"), `spill="off" has to be a share like 20%`);
  assert.equal(problemOf("ewma eject=3 eject=4"), `"eject" is said twice`);
  assert.equal(problemOf("ewma:x"), `"ewma" takes no header; write "ewma"`);
  assert.match(problemOf("zzzzzzzzzz"), /there are ewma, round-robin/);
  assert.match(problemOf(" "), /it is empty/);
  assert.match(problemOf("x".repeat(300)), /more than 255/);
});

const POLICIES: fc.Arbitrary<Policy> = fc.record({
  strategy: fc.constantFrom(...STRATEGIES),
  hashHeader: fc.constant(""),
  retryShare: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  hedgeQuantile: fc.constantFrom(0, 0.5, 0.9, 0.95, 0.99),
  ejectAfter: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.constant(Infinity)),
  ejectMs: fc.integer({ min: 10, max: 100_000_000 }).map((ms) => Math.min(ms, 86_400_000)),
  ejectedShareMax: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  inFlightMax: fc.oneof(fc.integer({ min: 1, max: 1e6 }), fc.constant(Infinity)),
  slowStartMs: fc.integer({ min: 0, max: 86_400_000 }),
  panicShare: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  spillShare: fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100),
  hashBound: fc.integer({ min: 102, max: 9_999 }).map((percent) => percent / 100),
});

test("what is written is read back the same", () => {
  fc.assert(
    fc.property(POLICIES, (made) => {
      const policy = made.strategy === "hash" ? { ...made, hashHeader: "user-id" } : { ...made };
      assert.deepEqual(parsePolicy(writePolicy(policy)), { ok: true, policy });
    }),
  );
});

test("no text makes the parser throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parsePolicy(text)));
});
