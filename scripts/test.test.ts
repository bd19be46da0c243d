// SPDX-License-Identifier: Apache-2.0
// The gate itself: files that must not count as good, each in a way that counting passed tests would not see.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const RUNNER = fileURLToPath(new URL("test.ts", import.meta.url));
const HEAD = 'import { after, before, describe, it } from "node:test";\n';
const GOOD = 'it("passes", () => {});\n';

/** Runs `npm test`'s program on these files alone; its last line, its exit code and all that it said. */
async function runOn(
  files: Readonly<Record<string, string>>,
): Promise<{ readonly code: unknown; readonly last: string; readonly said: string }> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-gate-"));
  try {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(directory, `${name}.test.ts`), `${HEAD}${text}`);
    // The variable makes a runner inside of a runner skip everything.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, [RUNNER, "--in", directory], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const code = await new Promise((resolve) => child.once("close", resolve));
    return { code, said, last: said.trimEnd().split("\n").at(-1) ?? "" };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const BAD: Readonly<Record<string, string>> = {
  "a test that fails": 'it("fails", () => { throw new Error("no"); });',
  "a hook of a group that throws after its tests":
    'describe("group", () => { after(() => { throw new Error("late"); }); it("passes", () => {}); });',
  "a hook of the file that throws after all tests": `after(() => { throw new Error("late"); });\n${GOOD}`,
  "a hook that throws before the tests": `before(() => { throw new Error("early"); });\n${GOOD}`,
  "a timer that throws when the tests are over": `${GOOD}setTimeout(() => { throw new Error("late"); }, 20);`,
  "a rejection that nobody awaits": `${GOOD}void Promise.reject(new Error("stray"));`,
  "an exit code that is set at the end": `${GOOD}process.on("exit", () => { process.exitCode = 1; });`,
  "a process that is killed at its end": `${GOOD}process.on("exit", () => process.kill(process.pid, "SIGKILL"));`,
  "a process that leaves in the middle, with code 0": `${GOOD}it("leaves", () => process.exit(0));`,
  "a file without a test": "",
  "a file that does not parse": `${GOOD}const = ;`,
  "a test that is skipped": 'it("is skipped", { skip: "no tool" }, () => {});',
  "a test that skips itself": 'it("skips itself", (t) => t.skip("no tool"));',
  "a group that is skipped": `describe("group", { skip: true }, () => { ${GOOD} });`,
  "a test for later": 'it("is for later", { todo: true }, () => {});',
};

describe("npm test", () => {
  test("takes none of these for good: each counts once, and more than three get no second chance", async () => {
    const files = Object.fromEntries(
      Object.entries(BAD).map(([title, text]) => [title.replaceAll(" ", "-"), text]),
    );
    const { code, last, said } = await runOn({ ...files, good: GOOD });
    const failed = [...said.matchAll(/^✖ failed: (.*)\.test\.ts \(1\)$/gm)].map(
      ([, name = ""]) => name,
    );
    assert.deepEqual(failed.sort(), Object.keys(files).sort(), said);
    assert.match(last, new RegExp(`^\\d+ passed, ${failed.length} failed$`));
    assert.equal(code, 1);
    assert.doesNotMatch(said, /once more/);
  });

  test("passes when everything passes, and its last line counts it", async () => {
    const { code, last, said } = await runOn({ one: GOOD, two: GOOD + GOOD });
    assert.deepEqual([code, last], [0, "3 passed, 0 failed"], said);
  });

  test("says whose process lives on after its tests", async () => {
    const { code, said } = await runOn({
      good: GOOD,
      lives: `${GOOD}setTimeout(() => {}, 3_500);`,
    });
    assert.equal(code, 0, said);
    assert.deepEqual(
      said.match(/^slow: .* after its tests$/gm)?.map((line) => line.split(" ")[1]),
      ["lives.test.ts"],
    );
  });

  test("does not pass without a single test", async () => {
    const { code, last } = await runOn({});
    assert.deepEqual([code, last], [1, "0 passed, 0 failed"]);
  });

  test("gives a file that failed one more chance, and names it right before the last line", async () => {
    const flaky = `
      import { existsSync, writeFileSync } from "node:fs";
      it("passes the second time", () => {
        const been = new URL("been", import.meta.url);
        if (existsSync(been)) return;
        writeFileSync(been, "");
        throw new Error("the first time");
      });`;
    const { code, said } = await runOn({ flaky, good: GOOD });
    assert.equal(code, 0, said);
    assert.deepEqual(said.trimEnd().split("\n").slice(-2), [
      "⚠ flaky: flaky.test.ts failed, and passed when it ran again, alone",
      "2 passed, 0 failed",
    ]);
  });
});
