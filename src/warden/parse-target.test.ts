// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { FLAG, NUMBER, parseTarget, SIGNAL, takeQuery } from "./parse-target.ts";

const idOf = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof FairleadError) return thrown.kind.id;
    throw thrown;
  }
  return "taken";
};

describe("the address of a request", () => {
  test("is version, segments and query", () => {
    const { version, segments, query } = parseTarget(
      "/v1.41/containers/a_b.c-1/json?all=1&filters=%7B%7D",
    );
    assert.equal(version, "v1.41");
    assert.deepEqual(segments, ["containers", "a_b.c-1", "json"]);
    assert.deepEqual(
      [...query.values],
      [
        ["all", "1"],
        ["filters", "{}"],
      ],
    );
    assert.equal(parseTarget("/_ping").version, undefined);
    assert.deepEqual(parseTarget("/images/r.example:5000/x/y@sha256:ab/json").segments.length, 5);
  });

  for (const [target, id] of [
    ["containers/json", "FL1902"],
    ["http://docker/containers/json", "FL1902"],
    ["*", "FL1902"],
    ["/a%2fb", "FL1902"],
    ["/a?b=1?c", "FL1902"],
    ["/a?b=%", "FL1902"],
    ["/a?b=%00", "FL1902"],
    ["/a?b=%ff", "FL1902"],
    ["/a?b=\u00e9", "FL1902"],
    ["/a?b=1 2", "FL1902"],
    [`/${"a".repeat(16_000)}`, "FL1902"],
    ["/", "FL1901"],
    ["/a/", "FL1901"],
    ["//a", "FL1901"],
    ["/a/./b", "FL1901"],
    ["/a/../b", "FL1901"],
    ["/.a", "FL1901"],
    ["/a;b", "FL1901"],
    ["/a\\b", "FL1901"],
    ["/a\u0000", "FL1901"],
    ["/v1.41", "taken"],
    ["/v1.41/", "FL1901"],
  ] as const)
    test(`${JSON.stringify(target.slice(0, 40))}: ${id}`, () =>
      assert.equal(
        idOf(() => parseTarget(target)),
        id,
      ));
});

describe("the query", () => {
  const take = (text: string, allowed = {}, others?: "ignored"): string =>
    takeQuery(parseTarget(`/a?${text}`).query, allowed, others).toString();

  test("is what is allowed, in its form; what says nothing is left out", () => {
    assert.equal(take("all=1&size=0&limit=", { all: FLAG }), "all=1");
    for (const [text, allowed, id] of [
      ["t=10", { t: NUMBER }, "taken"],
      ["t=1e3", { t: NUMBER }, "FL1901"],
      ["t=SIGKILL", { t: SIGNAL }, "taken"],
      ["t=KILL;x", { t: SIGNAL }, "FL1901"],
      ["t=1", {}, "FL1901"],
      ["t=false", {}, "taken"],
      ["t=1", { toString: FLAG }, "FL1901"],
      ["constructor=1", {}, "FL1901"],
      ["t=1&t=2", { t: NUMBER }, "FL1902"],
      ["t=1&T=2", { t: NUMBER }, "FL1902"],
      ["T=1&t=1", { t: NUMBER }, "FL1902"],
    ] as const)
      assert.equal(
        idOf(() => take(text, allowed)),
        id,
        text,
      );
  });

  test("of create has what dockerode says of the body too; what is read comes once all the same", () => {
    const rest = "Image=x&Cmd=a&Cmd=b&HostConfig=%7B%22Privileged%22%3Atrue%7D";
    assert.equal(take(`name=tool&${rest}`, { name: SIGNAL }, "ignored"), "name=tool");
    for (const text of ["name=a&name=b", "name=a&Name=b"])
      assert.equal(
        idOf(() => take(text, { name: SIGNAL }, "ignored")),
        "FL1902",
      );
  });
});
