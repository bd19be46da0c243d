// SPDX-License-Identifier: Apache-2.0
// Held to the cases of go-spiffe (Apache-2.0), in testdata/spiffe-id-vectors.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { parseSpiffeId } from "./spiffe.ts";

const FILE = new URL("testdata/spiffe-id-vectors.json", import.meta.url);
const Vectors = z.object({
  td_chars: z.string(),
  path_chars: z.string(),
  valid: z.array(z.string()),
  invalid: z.array(z.tuple([z.string(), z.string()])),
});
const vectors = Vectors.parse(JSON.parse(readFileSync(FILE, "utf8")));

test("what is an id is taken apart", () => {
  for (const text of vectors.valid) {
    const id = parseSpiffeId(text);
    assert.ok(id !== undefined, text);
    assert.equal(["spiffe:/", id.trustDomain, ...id.segments].join("/"), text);
  }
});

test("what is none is refused", () => {
  for (const [text, why] of vectors.invalid) assert.equal(parseSpiffeId(text), undefined, why);
  assert.equal(parseSpiffeId(`spiffe://a/${"b".repeat(2_048)}`), undefined);
  assert.equal(parseSpiffeId(`spiffe://${"a".repeat(256)}/b`), undefined);
});

test("of the 255 characters that are no slash just those of the tables may stand in each part", () => {
  for (let code = 0; code < 256; code++) {
    const char = String.fromCharCode(code);
    if (char === "/") continue;
    const inDomain = parseSpiffeId(`spiffe://trustdomain${char}/path`) !== undefined;
    const inPath = parseSpiffeId(`spiffe://trustdomain/path${char}`) !== undefined;
    assert.equal(inDomain, vectors.td_chars.includes(char), `domain ${code}`);
    assert.equal(inPath, vectors.path_chars.includes(char), `path ${code}`);
  }
});
