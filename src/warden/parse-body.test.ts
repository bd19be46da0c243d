// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FairleadError } from "#base/errors.ts";
import { parseBody } from "./parse-body.ts";

const isRefused = (text: string | Buffer): boolean => {
  try {
    parseBody(Buffer.from(text as string));
    return false;
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError && thrown.kind.id === "FL1902", String(thrown));
    return true;
  }
};

describe("a body", () => {
  test("is an object; nothing and null are an empty one", () => {
    assert.deepEqual(parseBody(Buffer.from(`{"a":{"b":[1,"c:{"]}}`)), { a: { b: [1, "c:{"] } });
    for (const text of ["", "null"]) assert.deepEqual(parseBody(Buffer.from(text)), {});
  });

  for (const text of [
    `[]`,
    `"x"`,
    `{}{}`,
    `{"a":1,"a":2}`,
    `{"a":1,"A":2}`,
    `{"k":1,"\u212a":2}`,
    `{"s":1,"\u017f":2}`,
    `{"a":{"b":1,"\\u0062":2}}`,
    `{"a":[{"b":1,"B":2}]}`,
    `{"a":"}","A":1}`,
    `\ufeff{}`,
    `{"a":${"[".repeat(40)}${"]".repeat(40)}}`,
    `{"a":1,}`,
  ])
    test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => assert.ok(isRefused(text)));

  test("bytes that are no UTF-8 are refused", () => {
    assert.ok(isRefused(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])));
  });

  test("what JSON.parse reads and has no key twice is read the same", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.jsonValue({ maxDepth: 0 })),
        (value) => {
          assert.deepEqual(
            parseBody(Buffer.from(JSON.stringify(value))),
            JSON.parse(JSON.stringify(value)),
          );
        },
      ),
    );
  });
});
