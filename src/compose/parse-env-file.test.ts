// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FairleadError } from "#base/errors.ts";
import { parseEnvFile } from "./parse-env-file.ts";

function read(
  text: string,
  environment: Record<string, string> = {},
): Record<string, string | undefined> {
  const entries = parseEnvFile(text, ".env", { environment: new Map(Object.entries(environment)) });
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

/** Text, and what it gives. */
const CASES: readonly (readonly [string, Record<string, string | undefined>])[] = [
  ["A=1", { A: "1" }],
  ["A = 1 ", { A: "1" }],
  ["export A=1", { A: "1" }],
  ["A: 1", { A: "1" }],
  ["A=", { A: "" }],
  ["A", { A: undefined }],
  ["# no\n\n  # no\nA=1 # yes", { A: "1" }],
  ["A=a#b", { A: "a#b" }],
  ["A=# all of it", { A: "" }],
  ["A='$X # \\n'", { A: "$X # \\n" }],
  ['A="a\\nb\\t\\"c\\"" # d', { A: 'a\nb\t"c"' }],
  ['A="a\nb"\nB=2', { A: "a\nb", B: "2" }],
  ["A='a\nb'\nB=2", { A: "a\nb", B: "2" }],
  ["A=1\r\nB=2\r\n", { A: "1", B: "2" }],
  ["\uFEFFA=1", { A: "1" }],
  ["A=${X}-${Y:-d}", { A: "x-d" }],
  ['A="$X"', { A: "x" }],
  ['A="\\$X"', { A: "$X" }],
  ["A=1\nB=$A", { A: "1", B: "1" }],
  ["A=a=b==", { A: "a=b==" }],
  ["A.b-c/d=1", { "A.b-c/d": "1" }],
];

describe("parseEnvFile()", () => {
  for (const [text, wanted] of CASES) {
    test(JSON.stringify(text), () => assert.deepEqual(read(text, { X: "x" }), wanted));
  }

  test("every entry knows its line, also after a value of several lines", () => {
    const entries = parseEnvFile('A="1\n2\n3"\n\nB=2\n', ".env", { environment: new Map() });
    assert.deepEqual(
      entries.map((entry) => entry.at.line),
      [1, 5],
    );
  });

  test("any text gives entries or a FairleadError with a line", () => {
    const part = fc.constantFrom(
      "A",
      "=",
      "'",
      '"',
      "\n",
      "\\",
      "$",
      "{",
      "}",
      " ",
      "#",
      "export ",
      ":",
      "\0",
      "é",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), fc.boolean(), (parts, raw) => {
        try {
          parseEnvFile(parts.join(""), ".env", { environment: new Map(), raw });
          return true;
        } catch (thrown) {
          return thrown instanceof FairleadError && thrown.location?.line !== undefined;
        }
      }),
      { numRuns: 500 },
    );
  });
});
