// SPDX-License-Identifier: Apache-2.0
// The repository keeps itself tidy: what a review would say every time, said here once.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findStale } from "../scripts/generate.ts";
import { ALLOWED_SKIPS } from "../scripts/skips.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LINES_MAX = 400;
const TEST_LINES_MAX = 600;

/** Files that git knows, as far as they are there. */
function listFiles(): string[] {
  const { stdout } = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return stdout.split("\n").filter((file) => file !== "" && existsSync(join(ROOT, file)));
}

const FILES = listFiles();
const SOURCES = FILES.filter((file) => /\.tsx?$/.test(file) && !file.startsWith("tests/canaries/"));
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** Those files for which `isBad` holds. */
function offenders(
  files: readonly string[],
  isBad: (text: string, file: string) => boolean,
): string[] {
  return files.filter((file) => isBad(read(file), file));
}

test("every source file begins with its licence", () => {
  assert.deepEqual(
    offenders(
      SOURCES,
      (text) => !/^(#!.*\n)?\/\/ SPDX-License-Identifier: Apache-2\.0\n/.test(text),
    ),
    [],
  );
});

test("no source file is longer than 400 lines, no test longer than 600", () => {
  const isLong = (text: string, file: string): boolean => {
    const most = /\.test\.tsx?$|\/testing\/|\/testdata\//.test(file) ? TEST_LINES_MAX : LINES_MAX;
    return text.split("\n").length > most;
  };
  assert.deepEqual(offenders(SOURCES, isLong), []);
});

test("nothing is left to be done later", () => {
  const words = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
  assert.deepEqual(
    offenders(SOURCES, (text) => words.test(text)),
    [],
  );
});

test("no file has a name that says nothing", () => {
  const empty = /(^|\/)(utils?|helpers?|common|misc|manager|types|index)\.tsx?$/;
  assert.deepEqual(
    SOURCES.filter((file) => empty.test(file)),
    [],
  );
});

test("types are not escaped from", () => {
  const escapes = new RegExp(
    ["\\bas any\\b", ": any\\b", "@ts-" + "ignore", "@ts-" + "nocheck", "as unknown as"].join("|"),
  );
  assert.deepEqual(
    offenders(
      SOURCES.filter((file) => file !== "tests/tidy.test.ts"),
      (text) => escapes.test(text),
    ),
    [],
  );
});

test("no program is started through a shell", () => {
  const shell = /\bshell:(?! *false)|\bexecSync\(/;
  const started = SOURCES.filter((file) => file !== "tests/tidy.test.ts");
  assert.deepEqual(
    offenders(started, (text) => shell.test(text)),
    [],
  );
});

test("no test is skipped, focused or left open", () => {
  // These two have the words in texts: one to look for, the other to feed to the runner.
  const quoting = ["tests/tidy.test.ts", "scripts/test.test.ts"];
  const tests = SOURCES.filter((file) => file.endsWith(".test.ts") && !quoting.includes(file));
  assert.deepEqual(
    offenders(tests, (text) => /\b(it|test|describe)\.(only|todo)\(|\btodo:/.test(text)),
    [],
  );
  // A tool that is absent is a failure: the set-up brings it. What really cannot be is on the list, with its reason.
  const skips = /\b(it|test|describe|suite|t|context)\.skip\(|(?<![\w.-])skip(?::|\s*[,}])/;
  assert.deepEqual(
    offenders(tests, (text) => skips.test(text)).sort(),
    Object.keys(ALLOWED_SKIPS).sort(),
  );
});

test("dependencies are pinned, and the lock file names no address", () => {
  for (const file of [
    "package.json",
    "packages/protocol/package.json",
    "packages/routing/package.json",
    "packages/web/package.json",
    "bench/peers/package.json",
  ]) {
    const manifest = JSON.parse(read(file)) as Record<string, Record<string, string> | undefined>;
    for (const group of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const [name, version] of Object.entries(manifest[group] ?? {}))
        assert.match(version, /^\d+\.\d+\.\d+$/, `${file}: ${name}`);
    }
  }
  for (const lock of ["package-lock.json", "bench/peers/package-lock.json"])
    assert.doesNotMatch(read(lock), /"resolved": *"https?:/);
});

test("generated files are fresh (npm run generate)", async () => {
  assert.deepEqual(await findStale(), []);
});

test("what a package exports has a doc comment", () => {
  const missing = offenders(
    SOURCES.filter(
      (file) =>
        file.startsWith("src/") && !/\.test\.ts$|\/testing\/|\/testdata\/|\/commands\//.test(file),
    ),
    (text) =>
      /(?<!\*\/)\n(?<!\*\/\n)export (async )?function\*? /.test(text.replace(/\*\/\n/g, "*/")),
  );
  assert.deepEqual(missing, []);
});
