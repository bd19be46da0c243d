// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { FairleadError, isKind } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { interpolate } from "./interpolate.ts";
import { readTable } from "./testing/read-table.ts";

const Table = z.object({
  env: z.record(z.string(), z.string()),
  cases: z.array(
    z.object({
      in: z.string(),
      out: z.string().optional(),
      error: z.enum(["invalid", "required"]).optional(),
      text: z.string().optional(),
      env: z.record(z.string(), z.string()).optional(),
      warns: z.number().optional(),
    }),
  ),
});
const table = Table.parse(readTable("compose-interpolation.json"));

function run(
  template: string,
  env: Readonly<Record<string, string>>,
): { out: string; warns: number } {
  const values = new Map(Object.entries(env));
  let warns = 0;
  const out = interpolate(template, {
    lookup: (name) => values.get(name),
    onUnset: () => warns++,
  });
  return { out, warns };
}

describe("interpolate()", () => {
  test("the table has all 61 cases", () => assert.equal(table.cases.length, 61));

  for (const c of table.cases) {
    const env = c.env ?? table.env;
    test(`${c.in} gives ${c.error ?? JSON.stringify(c.out)}`, () => {
      if (c.error === undefined) {
        const { out, warns } = run(c.in, env);
        assert.equal(out, c.out);
        if (c.warns !== undefined) assert.equal(warns, c.warns);
        return;
      }
      const kind = composeErrors[c.error === "invalid" ? "bad-interpolation" : "variable-required"];
      assert.throws(
        () => run(c.in, env),
        (thrown) => isKind(thrown, kind) && thrown.message.includes(c.text ?? ""),
      );
    });
  }

  test("defaults nested too deeply are refused", () => {
    const deep = `${"${A:-".repeat(5_000)}x${"}".repeat(5_000)}`;
    assert.throws(
      () => run(deep, {}),
      (t) => isKind(t, composeErrors["bad-interpolation"]),
    );
  });

  test("a value is never interpolated again", () => {
    assert.equal(run("${A}", { A: "$B ${C:?x}" }).out, "$B ${C:?x}");
  });

  test("any text gives a text or a FairleadError", () => {
    const part = fc.constantFrom("$", "{", "}", ":", "-", "?", "+", "A", "B", " ", "$$", "${A");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        try {
          return typeof run(parts.join(""), { A: "a" }).out === "string";
        } catch (thrown) {
          return thrown instanceof FairleadError;
        }
      }),
      { numRuns: 500 },
    );
  });
});
