// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchEgressNames, mayHaveAddress, parseEgressName } from "./egress-names.ts";

const isAllowed = (entries: readonly string[], name: string): boolean =>
  matchEgressNames(entries, name).length > 0;

describe("matchEgressNames()", () => {
  test("a name is itself, in any case and with a dot at its end, and nothing else", () => {
    for (const name of ["api.example.com", "API.Example.COM", "api.example.com."])
      assert.ok(isAllowed(["api.example.com"], name), name);
    for (const name of [
      "example.com",
      "x.api.example.com",
      "xapi.example.com",
      "api.example.com.evil.org",
      "",
    ])
      assert.ok(!isAllowed(["api.example.com"], name), name);
  });

  test("a wildcard is all below, however deep, and not the name itself", () => {
    for (const name of ["files.pypi.org", "a.b.pypi.org"])
      assert.ok(isAllowed(["*.pypi.org"], name));
    for (const name of ["pypi.org", "evilpypi.org", "pypi.org.evil.org"])
      assert.ok(!isAllowed(["*.pypi.org"], name), name);
  });
});

test("parseEgressName() refuses what is no name", () => {
  for (const text of [
    "*",
    "*.com",
    "a.*.com",
    "10.0.0.1",
    "-a.com",
    "a..b",
    "a b",
    "x=y",
    "x=10.0.0.0/8=1",
    "http://x",
    "x:443",
    `${"a".repeat(64)}.com`,
  ])
    assert.equal(parseEgressName(text), undefined, text);
});

describe("mayHaveAddress()", () => {
  test("no name has an address of the inside, unless that is declared", () => {
    const plain = matchEgressNames(["api.example.com"], "api.example.com");
    for (const address of ["198.51.100.1", "8.8.8.8", "2001:db8::1", "2606:4700::1"])
      assert.ok(mayHaveAddress(plain, address), address);
    for (const address of [
      "10.1.2.3",
      "127.0.0.1",
      "169.254.169.254",
      "172.31.0.1",
      "192.168.1.1",
      "100.64.0.1",
      "0.0.0.0",
      "224.0.0.1",
      "255.255.255.255",
      "::1",
      "::",
      "fd00::1",
      "fe80::1",
      "ff02::1",
      "64:ff9b::a00:1",
      "2002:a00:1::1",
    ])
      assert.ok(!mayHaveAddress(plain, address), address);
    const declared = matchEgressNames(["api.example.com=10.1.0.0/16"], "api.example.com");
    assert.ok(mayHaveAddress(declared, "10.1.2.3"));
    assert.ok(!mayHaveAddress(declared, "10.2.0.1"));
  });
});
