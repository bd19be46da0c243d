// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMANDS } from "./command-table.ts";
import type { Screen } from "./context.ts";
import { runCli } from "./run-cli.ts";

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** What `fairlead` with these words says on a screen. */
async function read(
  line: string,
  screen: Omit<Screen, "write">,
  env: Record<string, string> = {},
): Promise<string> {
  let said = "";
  const stdout = { ...screen, write: (text: string) => void (said += text) };
  const code = await runCli(line.split(" "), {
    env,
    cwd: "/",
    uid: 0,
    signal: new AbortController().signal,
    root: "/",
    version: "0.0.0",
    runNode: () => Promise.reject(new Error("no node is run here")),
    migrateStore: () => Promise.reject(new Error("no store is copied here")),
    enterFleet: () => Promise.reject(new Error("no fleet is entered here")),
    onReload: () => () => undefined,
    stdinIsTty: false,
    stdout,
    stderr: stdout,
  });
  assert.equal(code, 0, said);
  return said;
}

const PAGES = ["help", ...COMMANDS.map(({ name }) => `${name} --help`)];

describe("help", () => {
  for (const columns of [60, 80, 120])
    test(`fits a terminal of ${columns} columns, and says the same`, async () => {
      for (const page of PAGES) {
        const [narrow, piped] = [await read(page, { isTTY: true, columns }), await read(page, {})];
        for (const line of narrow.split("\n"))
          assert.ok(line.length <= columns || words(line).length === 1, `${page}: ${line}`);
        assert.deepEqual(words(narrow), words(piped));
      }
    });

  test("keeps texts below each other", async () => {
    const page = await read("help", { isTTY: true, columns: 60 });
    assert.match(page, /^ {2}why {11}\S.*$/m);
    assert.match(
      page,
      /^ {2}topology {6}declare along which links agents may talk:\n {16}set FILE, or rm$/m,
    );
    assert.match(
      await read("ps --help", { isTTY: true, columns: 60 }),
      /^ {2}-A, --all\n {8}all scopes\n {2}-o, --output <table\|wide\|json\|jsonl\|yaml\|name>\n {8}form of the answer$/m,
    );
  });

  test("goes by COLUMNS in a terminal, and stays as it is in a pipe", async () => {
    const narrow = await read("help", { isTTY: true, columns: 60 });
    assert.equal(await read("help", { isTTY: true, columns: 200 }, { COLUMNS: "60" }), narrow);
    assert.equal(await read("help", { isTTY: true, columns: 60 }, { COLUMNS: "many" }), narrow);
    const piped = await read("help", {});
    assert.equal(await read("help", {}, { COLUMNS: "60" }), piped);
    assert.match(piped, /^Exit status {2}0 done or yes, .* 130\/143 interrupted$/m);
  });
});
