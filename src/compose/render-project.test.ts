// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { renderProject } from "./render-project.ts";
import { loadText } from "./testing/load-text.ts";

const FILE = `
x-fairlead: {manage: "true"}
x-kept: "$A $$B"
services:
  a:
    image: x
    restart: "no"
    environment: {A: "yes", B: "off", C: "017", D: "22:22", E: "1_000", F: "2026-01-02", G: "~", H: "$$x"}
`;

describe("the effective file", () => {
  test("says the same to readers of YAML 1.1 and 1.2", async () => {
    const text = renderProject((await loadText(FILE)).project);
    assert.match(text, /^ {4}restart: "no"$/m);
    assert.deepEqual(parse(text, { version: "1.1" }), parse(text, { version: "1.2" }));
  });

  test("loads again to the same text", async () => {
    const text = renderProject((await loadText(FILE)).project);
    assert.equal(renderProject((await loadText(text)).project), text);
  });
});
