// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { makeFilters, readFilters } from "./filters.ts";

const OWNER = { scope: "crew", service: "boss" };
const KNOWN = ["label", "name"];
const isError = (id: string) => (error: unknown) =>
  error instanceof FairleadError && error.kind.id === id;

describe("filters", () => {
  test("in both forms that clients send, always with the owner's label", () => {
    for (const text of [
      `{"label":["a=1"],"name":["^/tool"]}`,
      `{"label":{"a=1":true},"name":{"^/tool":true}}`,
    ])
      assert.deepEqual(JSON.parse(makeFilters(OWNER, readFilters(text, KNOWN))), {
        label: ["a=1", "io.fairlead.agent=crew/boss"],
        name: ["^/?crew.boss.tool"],
      });
    assert.deepEqual(JSON.parse(makeFilters(OWNER, readFilters(null, KNOWN))), {
      label: ["io.fairlead.agent=crew/boss"],
    });
  });

  test("another's label does not take the place of the owner's: both have to hold", () => {
    const asked = readFilters(`{"label":["io.fairlead.agent=crew/rival"]}`, KNOWN);
    assert.deepEqual(JSON.parse(makeFilters(OWNER, asked)).label, [
      "io.fairlead.agent=crew/rival",
      "io.fairlead.agent=crew/boss",
    ]);
  });

  test("unknown ones, and what is no filter, are refused", () => {
    assert.throws(() => readFilters(`{"volume":["x"]}`, KNOWN), isError("FL1901"));
    assert.throws(() => readFilters(`{"Label":["x"]}`, KNOWN), isError("FL1901"));
    for (const text of [
      `{"label":"x"}`,
      `{"label":[1]}`,
      `{"label":null}`,
      `{"label":["a"],"LABEL":["b"]}`,
      `{"label":${JSON.stringify(Array(21).fill("x"))}}`,
      `[]`,
      `x`,
    ])
      assert.throws(() => readFilters(text, KNOWN), isError("FL1902"), text);
  });
});
