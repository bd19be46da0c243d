// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { findPatternFault, findSubjectFault, matchSubject } from "./subjects.ts";

test("patterns match as NATS documents it", () => {
  const cases = [
    ["a.b", "a.b", true],
    ["a.b", "a.c", false],
    ["a.*", "a.b", true],
    ["a.*", "a.b.c", false],
    ["a.>", "a.b.c", true],
    ["a.>", "a", false],
    ["*.b", "a.b", true],
    [">", "a", true],
    ["*", "a.b", false],
  ] as const;
  for (const [pattern, subject, expected] of cases)
    assert.equal(matchSubject(pattern, subject), expected, `${pattern} ${subject}`);
});

test("what is malformed is said", () => {
  for (const good of ["a", "a.b-c_d.42", "zähler.größe", "x".repeat(255)]) {
    assert.equal(findSubjectFault(good), undefined);
    assert.equal(findPatternFault(good), undefined);
  }
  for (const good of ["*", ">", "a.*.>", "*.*.*"]) assert.equal(findPatternFault(good), undefined);
  for (const bad of [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "a\n",
    "a.*",
    ">",
    "x".repeat(256),
    "a\u0000",
  ])
    assert.notEqual(findSubjectFault(bad), undefined, JSON.stringify(bad));
  for (const bad of ["", "a..b", ">.a", "a.>.b", "a*", "**", ">>", "a.b>", " ", "x.".repeat(200)])
    assert.notEqual(findPatternFault(bad), undefined, JSON.stringify(bad));
});
