// SPDX-License-Identifier: Apache-2.0
// `npm test`: sets up, then format, lint, types and every test; the last line is `N passed, N failed`.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { CHECKS } from "./check.ts";
import { ensurePackages, ensureWeb, ROOT, TEST_NEEDS } from "./setup.ts";

/** Whatever happens, a run ends: a hung test must not hang who waits for it. */
const TEST_TIMEOUT_MS = 5 * 60_000;
const RUN_TIMEOUT_MS = 35 * 60_000;
const LAST_WORDS_MS = 10_000;
/** Files that may be run a second time. */
const REPEATED_MAX = 3;

interface Tally {
  passed: number;
  failed: number;
}

function runChecks(tally: Tally): void {
  for (const check of CHECKS) {
    const result = spawnSync(process.execPath, [...check.command], { cwd: ROOT, encoding: "utf8" });
    const good = result.status === 0;
    if (good) tally.passed++;
    else tally.failed++;
    process.stdout.write(
      `${good ? "✔" : "✖"} ${check.name}\n${good ? "" : `${result.stdout}${result.stderr}\n`}`,
    );
  }
}

/** Tests that start engines or browsers are heavy: one at a time, so that none waits for another's engine. */
function isHeavy(file: string): boolean {
  return (
    file.endsWith(".real.test.ts") ||
    file.startsWith("tests/") ||
    file.startsWith("lab/") ||
    file.startsWith("packages/web/")
  );
}

/** Runs the files; returns what each gave. */
async function runFiles(
  files: readonly string[],
  concurrency: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Tally>> {
  const tallies = new Map<string, Tally>();
  if (files.length === 0) return tallies;
  const stream = run({
    files: files.map((file) => `${ROOT}${file}`),
    concurrency,
    timeout: TEST_TIMEOUT_MS,
    signal,
  });
  stream.on("test:summary", ({ file, counts }) => {
    if (file === undefined) return;
    const failed = counts.tests - counts.passed - counts.skipped - counts.todo;
    tallies.set(file.slice(ROOT.length), { passed: counts.passed, failed });
  });
  const report = stream.compose(new spec());
  for await (const chunk of report) process.stdout.write(String(chunk));
  // A file that ended before it could say anything has failed.
  for (const file of files) if (!tallies.has(file)) tallies.set(file, { passed: 0, failed: 1 });
  return tallies;
}

/**
 * Runs what failed a second time, alone, and says so: a test that depends on the load of the machine must be seen, and
 * mended, without hiding the change that is tested. More than a few are no accident and stay failed.
 */
async function repeatFailed(
  first: ReadonlyMap<string, Tally>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Tally>> {
  const failed = [...first].filter(([, tally]) => tally.failed > 0).map(([file]) => file);
  if (failed.length === 0 || failed.length > REPEATED_MAX || signal.aborted) return first;
  process.stdout.write(`⚠ once more, alone: ${failed.join(", ")}\n`);
  const second = await runFiles(failed, 1, signal);
  for (const file of failed)
    if (second.get(file)?.failed === 0)
      process.stdout.write(`⚠ flaky: ${file} failed, and passed when it ran again\n`);
  return new Map([...first, ...second]);
}

function finish(tally: Tally): never {
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
  process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const only = values.only;
  ensurePackages(TEST_NEEDS);
  ensureWeb();
  const tally: Tally = { passed: 0, failed: 0 };
  const ending = new AbortController();
  const alarm = setTimeout(() => {
    process.stdout.write(`✖ the run took longer than ${RUN_TIMEOUT_MS / 60_000} minutes\n`);
    tally.failed++;
    // Ends the tests that run; should that hang too, the run ends without them.
    ending.abort();
    setTimeout(() => finish(tally), LAST_WORDS_MS).unref();
  }, RUN_TIMEOUT_MS);
  if (only === undefined) runChecks(tally);
  const patterns = ["{src,lab,tests,bench,scripts}/**/*.test.ts", "packages/*/**/*.test.ts"];
  const found = globSync(patterns, { cwd: ROOT, exclude: (name) => name.includes("node_modules") });
  const files = found.filter((file) => only === undefined || file.includes(only)).sort();
  const { signal } = ending;
  const light = files.filter((file) => !isHeavy(file));
  const first = new Map(await runFiles(light, 2, signal));
  if (!signal.aborted)
    for (const entry of await runFiles(files.filter(isHeavy), 1, signal)) first.set(...entry);
  for (const { passed, failed } of (await repeatFailed(first, signal)).values()) {
    tally.passed += passed;
    tally.failed += failed;
  }
  clearTimeout(alarm);
  finish(tally);
}

await main();
