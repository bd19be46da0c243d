// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { isAddress, isCidr, isMac } from "./addresses.ts";

test("isAddress() agrees with Node on addresses and on what only looks like one", () => {
  const piece = fc.constantFrom(
    "0",
    "1",
    "10",
    "255",
    "256",
    "fd00",
    "ffff",
    ":",
    "::",
    ".",
    "1.2.3.4",
    "g",
  );
  const near = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (text) => {
      assert.equal(isAddress(text), isIP(text) !== 0, text);
    }),
    { numRuns: 2_000, examples: [["1.2.3.4::"], ["::1.2.3.4"], ["1.2.3.4::1"]] },
  );
});

test("isCidr() wants a length that fits", () => {
  for (const good of ["10.0.0.0/8", "172.28.5.1/24", "0.0.0.0/0", "fd00::/64", "::1/128"])
    assert.ok(isCidr(good), good);
  for (const bad of [
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0/8",
    "fd00::/129",
    "/8",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
    "x/8",
  ]) {
    assert.ok(!isCidr(bad), bad);
  }
});

test("isMac() wants six pairs", () => {
  assert.ok(isMac("02:42:ac:11:00:02"));
  assert.ok(!isMac("02:42:ac:11:00"));
});
