// SPDX-License-Identifier: Apache-2.0
// docs/guard.md and docs/security.md name what shows each row: all of it exists, and no row is missing.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("..", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const cellsOf = (path: string): readonly (readonly string[])[] =>
  read(path)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split(" | ").map((cell) => cell.replaceAll(/^\| | \|$/g, "")));

const number = (letter: string, from: number, to: number): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => letter + String(from + n).padStart(2, "0"));
const ROWS = ["P01", ...number("P", 4, 17), ...number("S", 1, 14)];

test("each row stands there once, and says whether it held", () => {
  const rows = cellsOf("docs/guard.md").filter(([row = ""]) => /^[A-Z]\d\d$/.test(row));
  assert.deepEqual(
    rows.map(([row]) => row),
    ROWS,
  );
  for (const cells of rows) {
    assert.equal(cells.length, 6, cells[0]);
    assert.ok(
      cells.every((cell) => cell !== ""),
      cells[0],
    );
  }
});

test("what shows it exists", () => {
  const rows = cellsOf("docs/guard.md").filter(([row = ""]) => /^[A-Z]\d\d$/.test(row));
  for (const [row = "", , , , , by = ""] of rows) {
    const named = [...by.matchAll(/`([^`]+)`/g)].map(([, one = ""]) => one);
    assert.ok(named.length > 0, row);
    for (const one of named) {
      const bench = /^npm run bench -- ([\w-]+)$/.exec(one)?.[1];
      const path = bench === undefined ? one : `bench/${bench}.ts`;
      assert.ok(existsSync(new URL(path, root)), `${row}: ${one}`);
    }
  }
});

test("every test that docs/security.md names exists, by its file and by its words", () => {
  // Rules of a conformance suite are tests of each driver.
  const kinds = ["{src,packages,tests}/**/*.test.ts", "src/**/testing/*-rules.ts"];
  const paths = globSync(kinds, { cwd: root });
  const texts = paths
    .filter((path) => !path.includes("node_modules"))
    .map((path) => [path, read(path)] as const);
  let count = 0;
  for (const cells of cellsOf("docs/security.md")) {
    const by = cells.at(-1) ?? "";
    for (const [, file, words = ""] of by.matchAll(/`([\w./-]+\.test\.ts)`|"([^"]+)"/g)) {
      count++;
      if (file !== undefined) {
        assert.ok(
          texts.some(([path]) => path === file || path.endsWith(`/${file}`)),
          `${cells[0]}: ${file}`,
        );
        continue;
      }
      const parts = words.split("…").map((part) => RegExp.escape(part.trim()));
      const wanted = new RegExp(parts.join(".*"));
      assert.ok(
        texts.some(([, text]) => wanted.test(text)),
        `${cells[0]}: "${words}"`,
      );
    }
  }
  assert.ok(count > 100, `${count}`);
});
