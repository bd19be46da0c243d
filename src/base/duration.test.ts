// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";
import { baseErrors, isKind } from "./errors.ts";

describe("parseDuration()", () => {
  test("reads every unit, alone and together", () => {
    const cases: [string, number][] = [
      ["0", 0],
      ["500ms", 500],
      ["90s", 90_000],
      ["1m30s", 90_000],
      ["1.5h", 5_400_000],
      ["2d", 172_800_000],
      ["1w", 604_800_000],
      ["1us", 0.001],
      ["1000000ns", 1],
      ["  3s ", 3_000],
    ];
    for (const [text, ms] of cases) assert.ok(Math.abs(parseDuration(text) - ms) < 1e-9, text);
  });

  test("refuses everything else, with examples of what is right", () => {
    for (const text of ["", "5", "-1s", "1h30", "s", "1 s", "1x", "ms5", "1s!", "∞"]) {
      assert.throws(
        () => parseDuration(text),
        (error) => isKind(error, baseErrors["invalid-argument"]) && /500ms/.test(error.message),
        text,
      );
    }
  });

  test("never takes a text for a negative or infinite time", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        try {
          const ms = parseDuration(text);
          assert.ok(ms >= 0 && Number.isFinite(ms));
        } catch (error) {
          assert.ok(isKind(error, baseErrors["invalid-argument"]));
        }
      }),
    );
  });
});

describe("formatDuration()", () => {
  test("writes two units at most", () => {
    const cases: [number, string][] = [
      [0, "0ms"],
      [-5, "0ms"],
      [340, "340ms"],
      [1_000, "1s"],
      [1_234, "1.2s"],
      [9_999, "9.9s"],
      [12_000, "12s"],
      [59_999, "59s"],
      [200_000, "3m20s"],
      [600_000, "10m"],
      [7_500_000, "2h5m"],
      [356_400_000, "4d3h"],
    ];
    for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
  });

  test("is read back to nearly the same, and never to more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 10 }), (ms) => {
        const back = parseDuration(formatDuration(ms));
        assert.ok(back <= ms + 1e-6 && back >= ms * 0.9 - 1_000);
      }),
    );
  });
});
