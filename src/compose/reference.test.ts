// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renderComposeReference } from "./render-reference.ts";

test("docs/reference/compose.md is what the schema says (npm run generate)", () => {
  const file = new URL("../../docs/reference/compose.md", import.meta.url);
  assert.equal(readFileSync(file, "utf8"), renderComposeReference());
});
