// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMask, hideByForm, isSecretField } from "#base/secrets.ts";

const LINES: readonly (readonly [text: string, shown: string])[] = [
  ["postgres://u:hunter2@db/x", "postgres://u:[hidden]@db/x"],
  ["authorization: Bearer abc.def-123456", "authorization: [hidden] [hidden]"],
  ["sent Bearer abc.def-123456 to it", "sent Bearer [hidden] to it"],
  ["DB_PASSWORD=hunter2 NAME=web", "DB_PASSWORD=[hidden] NAME=web"],
  ['{"registryToken": "a b, c", "zone": "a"}', '{"registryToken": [hidden], "zone": "a"}'],
  ["run --api-key s3cr3t --port 80", "run --api-key [hidden] --port 80"],
  ["joined with flj1_eyJmbGVldCI6ImEi_x-yz", "joined with flj1_[hidden]"],
  ["a eyJhbGciOiJI.eyJzdWIiOiIx.c2ln b", "a [hidden] b"],
  ["-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nrest", "[hidden]\nrest"],
  ["the token file is missing, 3 tokens left", "the token file is missing, 3 tokens left"],
  ["took 4 ms; key web/1", "took 4 ms; key web/1"],
  ["fabric-secret\n0600 made", "fabric-secret\n0600 made"],
];

describe("hideByForm()", () => {
  for (const [text, shown] of LINES)
    test(`shows ${JSON.stringify(text)} as ${JSON.stringify(shown)}`, () =>
      assert.equal(hideByForm(text), shown));
});

test("hideByForm() reads a megabyte without a break in it in one go", () => {
  const long = "a".repeat(1024 * 1024);
  assert.equal(hideByForm(`${long} token=abcdef`), `${long} token=[hidden]`);
});

test("createMask() hides the longest first, and leaves short values alone", () => {
  const mask = createMask(["abcdef", "abcdefgh", "ab"]);
  assert.equal(mask("x abcdefgh abcdef ab"), "x [hidden] [hidden] ab");
});

test("isSecretField() tells names of secrets from others", () => {
  const secret = ["password", "X-Registry-Auth", "identitytoken", "API_KEY", "clientSecret"];
  const plain = ["key", "publicKey", "url", "tokens", "name", "passed"];
  assert.deepEqual([...secret, ...plain].filter(isSecretField), secret);
});
