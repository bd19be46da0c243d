// SPDX-License-Identifier: Apache-2.0
// `npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--workers W] [--progress FILE] [--trace]`
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { readWhole, runScript } from "../../scripts/run-script.ts";
import { runHistory, type History, type HistoryOptions } from "./run-history.ts";
import { describeRun, runMany, shapeHistory } from "./run-many.ts";

const USAGE = `usage: npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--workers W] [--progress FILE] [--trace]
  --seed       of the first history; the others count on from it (default: the time)
  --steps      faults in each (40 for one history; of many, 1 to 6, each fiftieth 20)
  --nodes      of the fleet (5 for one history; of many, 2 to 5)
  --histories  how many (1 with --seed, else 1000)
  --workers    how many at a time (default: one a core)
  --progress   file that keeps how far it came: the same command goes on from there
  --trace      of one history: what befell in each step, how each node saw the others (+ alive, ? suspect, - gone), and what
               ran on it
exits with 1 when something did not hold; each such history is printed with the command that runs it again`;

/** How often how far it came is kept, and said. */
const KEEP_EVERY = 100;
const SAY_EVERY = 10_000;

/** What a progress file says. */
interface Progress {
  readonly seed: number;
  /** Histories that are done, from that seed on. */
  readonly done: number;
  /** Those of them that did not hold. */
  readonly broken: readonly HistoryOptions[];
}

/** Undefined for an option that was not given. */
const readGiven = (option: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : readWhole(option, text);

function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function printFaults(options: HistoryOptions, { trace, faults }: History): void {
  print(...trace, ...faults.map((fault) => `✗ ${fault}`));
  print(`seed ${options.seed}: ${describeRun(options)}`);
}

async function runOne(options: HistoryOptions, withTrace: boolean): Promise<number> {
  const history = await runHistory(options);
  if (history.faults.length > 0) {
    printFaults(options, history);
    return 1;
  }
  if (withTrace) print(...history.trace);
  const seconds = (history.virtualMs / 1_000).toFixed(0);
  print(`✓ seed ${options.seed}: nothing broken in ${seconds} s of virtual time`);
  print(`hash ${history.hash}`);
  return 0;
}

interface ManyParts {
  readonly seed: number;
  readonly count: number;
  readonly workers: number;
  readonly progress: string | undefined;
  /** What differs from a seed's own shape. */
  readonly shape: Partial<Pick<HistoryOptions, "steps" | "nodes">>;
}

async function runSeeds({ seed, count, workers, progress, shape }: ManyParts): Promise<number> {
  const isBegun = progress !== undefined && existsSync(progress);
  const before: Progress = isBegun
    ? (JSON.parse(readFileSync(progress, "utf8")) as Progress)
    : { seed, done: 0, broken: [] };
  const broken = [...before.broken];
  const beganMs = performance.now();
  const keep = (done: number): void => {
    const now: Progress = { seed: before.seed, done: before.done + done, broken };
    if (progress !== undefined) writeFileSync(progress, `${JSON.stringify(now)}\n`);
  };
  function* list(): Generator<HistoryOptions> {
    for (let at = before.done; at < count; at++)
      yield { ...shapeHistory(before.seed + at), ...shape };
  }
  if (isBegun) print(`goes on after ${before.done} histories from seed ${before.seed}`);
  const { histories, events, virtualMs } = await runMany(list(), {
    workers,
    onBroken(options, history) {
      broken.push(options);
      printFaults(options, history);
    },
    onDone(done) {
      if (done % KEEP_EVERY === 0) keep(done);
      if (done > 0 && done % SAY_EVERY === 0)
        print(`${before.done + done} histories, ${broken.length} broken`);
    },
  });
  keep(histories);
  const seconds = (performance.now() - beganMs) / 1_000;
  const hours = (virtualMs / 3_600_000).toFixed(1);
  const what = `${histories} histories from seed ${before.seed + before.done}`;
  const effort = `${hours} h of virtual time, ${events} events, ${seconds.toFixed(0)} s`;
  if (broken.length === 0) {
    print(`✓ ${what}: nothing broken in ${effort}`);
    return 0;
  }
  print(...broken.map((options) => `✗ ${describeRun(options)}`));
  print(`✗ ${what}: ${broken.length} broken in ${effort}`);
  return 1;
}

interface Words {
  readonly seed: number | undefined;
  readonly steps: number | undefined;
  readonly nodes: number | undefined;
  readonly histories: number | undefined;
  readonly workers: number | undefined;
  readonly progress: string | undefined;
  readonly trace: boolean;
}

function readWords(words: readonly string[]): Words {
  const option = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      seed: option,
      steps: option,
      nodes: option,
      histories: option,
      workers: option,
      progress: option,
      trace: { type: "boolean", default: false },
    },
  });
  return {
    seed: readGiven("seed", values.seed),
    steps: readGiven("steps", values.steps),
    nodes: readGiven("nodes", values.nodes),
    histories: readGiven("histories", values.histories),
    workers: readGiven("workers", values.workers),
    progress: values.progress,
    trace: values.trace,
  };
}

async function run({ steps, nodes, workers, progress, trace, ...words }: Words): Promise<number> {
  const seed = words.seed ?? Date.now() % 2 ** 32;
  const count = words.histories ?? (words.seed === undefined ? 1_000 : 1);
  if (count === 1) return runOne({ seed, steps: steps ?? 40, nodes: nodes ?? 5 }, trace);
  return runSeeds({
    seed,
    count,
    workers: workers ?? availableParallelism(),
    progress,
    shape: { ...(steps === undefined ? {} : { steps }), ...(nodes === undefined ? {} : { nodes }) },
  });
}

process.exitCode = await runScript(process.argv.slice(2), {
  usage: () => USAGE,
  read: readWords,
  run,
});
