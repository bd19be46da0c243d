// SPDX-License-Identifier: Apache-2.0
// The project's own commands, asked for help and typed wrongly: nothing is started, and what is said helps.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = new URL("..", import.meta.url);

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(script: string, words: readonly string[]): Promise<Said> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, ROOT)), ...words]);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

/** Each with words that it does not take, and what is said of them. */
const SCRIPTS: readonly (readonly [script: string, words: string, problem: RegExp])[] = [
  ["bench/main.ts", "shedule", /no bench is called shedule; did you mean schedule\?/],
  ["tests/faults/main.ts", "--hosts=many", /--hosts takes 1 to 9, not many/],
  ["tests/simulation/main.ts", "--sed=1", /Unknown option '--sed'/],
  ["lab/main.ts", "up many", /up takes a number of hosts, 1 to 9, not many/],
  ["lab/fuzz/main.ts", "dnss", /no target is called dnss; did you mean dns\?/],
  ["lab/limbo/main.ts", "/no/limbo.json", /there is no \/no\/limbo.json/],
  ["scripts/demo.ts", "--hosts=2", /--hosts takes 1, or 3 to 9/],
];

for (const [script, words, problem] of SCRIPTS) {
  test(`${script} says what it takes to who asks, and what is wrong with other words`, async () => {
    const [help, wrong] = await Promise.all([
      run(script, ["--help"]),
      run(script, words.split(" ")),
    ]);
    assert.deepEqual([help.code, help.err], [0, ""]);
    assert.match(help.out, /^usage: npm run /);
    assert.deepEqual([wrong.code, wrong.out], [2, ""]);
    assert.match(wrong.err, /^error: /);
    assert.match(wrong.err, problem);
    assert.match(wrong.err, /usage: npm run /);
  });
}
