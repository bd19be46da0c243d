// SPDX-License-Identifier: Apache-2.0
// `npm test`: sets up, then format, lint, types and every test; the last line is `N passed, N failed`.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { parseArgs } from "node:util";
import { withCompileCache } from "#config/process-flags.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { ALONE } from "./alone.ts";
import { CHECKS } from "./check.ts";
import { sweepDemos } from "./demo/leftovers.ts";
import { describeTimes } from "./describe-times.ts";
import { runFiles, type FileTally, type Tally } from "./run-files.ts";
import { ensurePackages, ensureWeb, ROOT, TEST_NEEDS } from "./setup.ts";

/** Whatever happens, a run ends: a hung test must not hang who waits for it. */
const TEST_TIMEOUT_MS = 5 * 60_000;
const RUN_TIMEOUT_MS = 35 * 60_000;
const LAST_WORDS_MS = 10_000;
/** Files that may be run a second time. */
const REPEATED_MAX = 4;
/** Files of tests at a time: most of a real test is waiting. */
const CONCURRENCY = 2;

interface Outcome {
  readonly results: ReadonlyMap<string, FileTally>;
  /** Files that failed and then passed. */
  readonly flaky: readonly string[];
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

/** Tests that start engines or browsers are heavy: they come after the light ones, which fail sooner. */
function isHeavy(file: string): boolean {
  return (
    file.endsWith(".real.test.ts") ||
    file.startsWith("tests/") ||
    file.startsWith("lab/") ||
    file.startsWith("packages/web/")
  );
}

/**
 * Runs what failed a second time, alone, and says so: a test that depends on the load of the machine must be seen, and
 * mended, without hiding the change that is tested. More than a few are no accident and stay failed.
 */
async function repeatFailed(
  first: ReadonlyMap<string, FileTally>,
  repeat: (files: readonly string[]) => Promise<ReadonlyMap<string, FileTally>>,
): Promise<Outcome> {
  const failed = [...first].filter(([, tally]) => tally.failed > 0).map(([file]) => file);
  if (failed.length === 0 || failed.length > REPEATED_MAX) return { results: first, flaky: [] };
  process.stdout.write(`⚠ once more, alone: ${failed.join(", ")}\n`);
  const second = await repeat(failed);
  const flaky = failed.filter((file) => second.get(file)?.failed === 0);
  return { results: new Map([...first, ...second]), flaky };
}

/** Says where the time went, names the files that failed and those that were flaky, where nobody overlooks it; then comes the line that counts. */
function finish(tally: Tally, { results, flaky }: Outcome): never {
  process.stdout.write(describeTimes(results));
  for (const [file, { failed }] of results)
    if (failed > 0) process.stdout.write(`✖ failed: ${file} (${failed})\n`);
  for (const file of flaky)
    process.stdout.write(`⚠ flaky: ${file} failed, and passed when it ran again, alone\n`);
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
  process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1);
}

/** The files of tests of the project, or of `directory` when the runner itself is tested; `only` is a part of a path. */
function findFiles(directory: string | undefined, only: string | undefined): readonly string[] {
  const patterns = ["{src,lab,tests,bench,scripts}/**/*.test.ts", "packages/*/**/*.test.ts"];
  const found =
    directory === undefined
      ? globSync(patterns, { cwd: ROOT, exclude: (name) => name.includes("node_modules") })
      : globSync("*.test.ts", { cwd: directory });
  return found.filter((file) => only === undefined || file.includes(only)).sort();
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" }, in: { type: "string" } } });
  const { only, in: directory } = values;
  const root = directory === undefined ? ROOT : `${directory}/`;
  if (directory === undefined) {
    ensurePackages(TEST_NEEDS);
    ensureWeb();
    await sweepDemos({ clock: createSystemClock(), random: Math.random, say: console.log });
  }
  // Some thousand processes of one program: what one has compiled, the others take.
  Object.assign(process.env, withCompileCache(process.env, ROOT));
  const tally: Tally = { passed: 0, failed: 0 };
  const ending = new AbortController();
  const alarm = setTimeout(() => {
    process.stdout.write(`✖ the run took longer than ${RUN_TIMEOUT_MS / 60_000} minutes\n`);
    tally.failed++;
    // Ends the tests that run; should that hang too, the run ends without them.
    ending.abort();
    setTimeout(() => finish(tally, { results: new Map(), flaky: [] }), LAST_WORDS_MS).unref();
  }, RUN_TIMEOUT_MS);
  if (only === undefined && directory === undefined) runChecks(tally);
  const files = findFiles(directory, only);
  const { signal } = ending;
  const start = (some: readonly string[], concurrency: number) =>
    signal.aborted
      ? Promise.resolve(new Map<string, FileTally>())
      : runFiles(some, { root, concurrency, timeoutMs: TEST_TIMEOUT_MS, signal });
  const shared = files.filter((file) => !(file in ALONE));
  const first = new Map<string, FileTally>();
  for (const [some, concurrency] of [
    [shared.filter((file) => !isHeavy(file)), CONCURRENCY],
    [shared.filter(isHeavy), CONCURRENCY],
    [files.filter((file) => file in ALONE), 1],
  ] as const)
    for (const entry of await start(some, concurrency)) first.set(...entry);
  const outcome = await repeatFailed(first, (some) => start(some, 1));
  for (const { passed, failed } of outcome.results.values()) {
    tally.passed += passed;
    tally.failed += failed;
  }
  clearTimeout(alarm);
  finish(tally, outcome);
}

await main();
