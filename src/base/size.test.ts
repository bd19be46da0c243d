// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { baseErrors, isKind } from "./errors.ts";
import { formatSize, parseSize } from "./size.ts";

describe("parseSize()", () => {
  test("reads sizes as Docker does", () => {
    const cases: [string, number][] = [
      ["0", 0],
      ["1024", 1_024],
      ["512b", 512],
      ["64m", 67_108_864],
      ["64MB", 67_108_864],
      ["512KiB", 524_288],
      ["1.5g", 1_610_612_736],
      [" 1 k ", 1_024],
    ];
    for (const [text, sizeBytes] of cases) assert.equal(parseSize(text), sizeBytes, text);
  });

  test("refuses everything else", () => {
    for (const text of ["", "-1", "1x", "k", "1e3", "1,5g", "0x10"]) {
      assert.throws(
        () => parseSize(text),
        (error) => isKind(error, baseErrors["invalid-argument"]),
        text,
      );
    }
  });
});

test("formatSize() writes the unit that people read", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_536, "1.5 KiB"],
    [325_058_560, "310 MiB"],
    [2 ** 40, "1.0 TiB"],
  ];
  for (const [sizeBytes, text] of cases) assert.equal(formatSize(sizeBytes), text);
});
