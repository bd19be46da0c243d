// SPDX-License-Identifier: Apache-2.0
// docs/reliability.md names what shows each row: all of it exists, and no row is missing.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CASES } from "./faults/cases.ts";

const root = new URL("..", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const rows = read("docs/reliability.md")
  .split("\n")
  .filter((line) => /^\| [A-Z]\d\d /.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, row = "", , , , held = "", by = ""]) => ({ row, held, by }));
const ROWS = [
  ...Array.from({ length: 24 }, (_, n) => `R${String(n + 1).padStart(2, "0")}`),
  "D04",
  "P18",
];

test("each row stands there once, and says whether it held and what shows it", () => {
  assert.deepEqual(
    rows.map(({ row }) => row),
    ROWS,
  );
  for (const { row, held, by } of rows) assert.ok(held !== "" && by !== "", row);
});

test("every test, command and case that it names exists", () => {
  const cases = new Map(CASES.map((one) => [one.name, one]));
  const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts);
  for (const { row, by } of rows)
    for (const [, named = ""] of by.matchAll(/`([^`]+)`/g)) {
      if (named.endsWith(".test.ts")) {
        assert.ok(existsSync(new URL(named, root)), `${row}: ${named}`);
        continue;
      }
      const [, script = "", words = ""] = /^npm run (\w+)(?: -- (.+))?$/.exec(named) ?? [];
      assert.ok(scripts.includes(script), `${row}: ${named}`);
      if (script === "bench") assert.ok(existsSync(new URL(`bench/${words}.ts`, root)), named);
      for (const name of script === "faults" ? words.split(" ") : []) {
        assert.ok(cases.has(name), `${row}: no case ${name}`);
      }
    }
});

test("every row that a case of the faults names has that case in it", () => {
  for (const { name, rows: named } of CASES)
    for (const row of named.split(" ").filter((one) => ROWS.includes(one)))
      assert.match(rows.find((one) => one.row === row)?.by ?? "", new RegExp(`\\b${name}\\b`), row);
});
