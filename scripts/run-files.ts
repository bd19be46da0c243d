// SPDX-License-Identifier: Apache-2.0
// Runs files of tests, each in a process of its own, and judges them: a file is good when its tests passed *and* its process
// ended well. Counting tests alone would take a file for good whose hook throws after them, or that dies at its end.
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { ALLOWED_SKIPS } from "./skips.ts";

/** What one file gave, or all of them together. */
export interface Tally {
  passed: number;
  failed: number;
}

/** The same of one file, with what its process took. */
export interface FileTally extends Tally {
  readonly tookMs: number;
  /** So much of it after the last test had ended: hooks, and what the tests left behind that kept it alive. */
  readonly afterMs: number;
}

interface RunOptions {
  /** Where the files are, with a slash at its end. */
  readonly root: string;
  /** How many files at a time. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What was heard of one file. */
interface Heard {
  counts?: Tally;
  /** Why it is not good although none of its tests failed. */
  faults: string[];
  tookMs: number;
  testedAtMs: number;
  endedAtMs: number;
}

function judge(file: string, heard: Heard): FileTally {
  const { counts, faults, tookMs, testedAtMs, endedAtMs } = heard;
  const times = { tookMs, afterMs: testedAtMs === 0 ? 0 : endedAtMs - testedAtMs };
  if (counts === undefined) {
    process.stdout.write(`✖ ${file}: it ended before its tests had\n`);
    return { passed: 0, failed: 1, ...times };
  }
  if (counts.failed === 0)
    for (const fault of faults) process.stdout.write(`✖ ${file}: ${fault}\n`);
  const failed = Math.max(counts.failed, Math.min(faults.length, 1));
  return { passed: counts.passed, failed, ...times };
}

/** Runs the files, paths from the root; returns what each gave. */
export async function runFiles(
  files: readonly string[],
  { root, concurrency, timeoutMs, signal }: RunOptions,
): Promise<ReadonlyMap<string, FileTally>> {
  const unheard = { tookMs: 0, testedAtMs: 0, endedAtMs: 0 };
  const heard = new Map<string, Heard>(files.map((file) => [file, { faults: [], ...unheard }]));
  const of = (file: string | undefined): Heard | undefined =>
    file === undefined ? undefined : heard.get(file.slice(root.length));
  if (files.length === 0) return new Map();
  const stream = run({
    files: files.map((file) => `${root}${file}`),
    concurrency,
    timeout: timeoutMs,
    signal,
  });
  stream.on("test:summary", ({ file, counts, success }) => {
    const one = of(file);
    if (one === undefined) return;
    const failed = counts.tests - counts.passed - counts.skipped - counts.todo;
    one.counts = { passed: counts.passed, failed };
    if (!success)
      one.faults.push("something failed that is no test: a hook, or what ran after the tests");
  });
  stream.on("test:complete", ({ file, name, nesting, details }) => {
    const one = nesting === 0 ? of(file) : undefined;
    if (one === undefined) return;
    const nowMs = performance.now();
    if (name === file) Object.assign(one, { endedAtMs: nowMs, tookMs: details.duration_ms });
    else one.testedAtMs = nowMs;
  });
  stream.on("test:fail", ({ file, name }) => {
    if (name === file) of(file)?.faults.push("its process failed");
  });
  stream.on("test:pass", ({ file, name, skip, todo }) => {
    const isLeft = (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
    if (!isLeft || (file !== undefined && file.slice(root.length) in ALLOWED_SKIPS)) return;
    of(file)?.faults.push(`"${name}" was skipped (scripts/skips.ts says what may be)`);
  });
  for await (const chunk of stream.compose(new spec())) process.stdout.write(String(chunk));
  return new Map([...heard].map(([file, one]) => [file, judge(file, one)]));
}
