// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { canonicalJson, hashValue, isSameJson } from "./canonical-json.ts";

/** The same value with the keys of every object in the opposite order. */
function turn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turn);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, turn(inner)]),
  );
}

describe("canonicalJson()", () => {
  test("is JSON of the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.equal(
          JSON.stringify(JSON.parse(canonicalJson(value))),
          JSON.stringify(JSON.parse(canonicalJson(JSON.parse(JSON.stringify(value))))),
        );
      }),
    );
  });

  test("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.equal(canonicalJson(turn(value)), canonicalJson(value));
      }),
    );
  });

  test("leaves out what is undefined", () => {
    assert.equal(canonicalJson({ b: undefined, a: [undefined, 1] }), '{"a":[null,1]}');
    assert.equal(canonicalJson(undefined), "null");
  });
});

test("isSameJson() is whether canonical texts are equal", () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(undefined, null, 0, 1, "", "a", true),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", "constructor"), tie("value"), { maxKeys: 3 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, value, (a, b) => {
      assert.equal(isSameJson(a, b), canonicalJson(a) === canonicalJson(b));
      assert.equal(isSameJson(a, turn(structuredClone(a))), true);
    }),
  );
});

test("hashValue() is SHA-256 of the canonical text", () => {
  // printf '{"a":1,"b":[true]}' | sha256sum
  assert.equal(
    hashValue({ b: [true], a: 1 }),
    "90eddf64b875cb5fa184bb12503cc7309b6ce21b175521a80bd8d83082bae604",
  );
  assert.notEqual(hashValue({ a: 1 }), hashValue({ a: "1" }));
});
