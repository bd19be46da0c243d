// SPDX-License-Identifier: Apache-2.0
// A parser under fire: so many hostile inputs, none of which may crash it, hang it, or leave memory behind.
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What one input led to. */
export type Outcome = "taken" | "refused";

/** Something that reads what strangers send. */
export interface FuzzTarget {
  readonly name: string;
  /** One sentence: what is thrown at what, and what has to hold. */
  readonly about: string;
  /** Makes the attempt of one input; its number and the seed decide what it is. Throws when the parser did not hold. */
  open(seed: number): FuzzRun;
}

/** A target that was opened. */
export interface FuzzRun {
  attempt(index: number): Outcome;
  /** Looks at what the inputs left behind, after all of them. Throws when that is not nothing. */
  check?(): Promise<void>;
}

export interface FuzzReport {
  readonly name: string;
  readonly seed: number;
  readonly count: number;
  readonly refused: number;
  readonly tookMs: number;
  /** The most processor time that one input took. */
  readonly slowestMs: number;
  /** Resident memory after the first tenth, and after all. */
  readonly rssBeforeMb: number;
  readonly rssAfterMb: number;
  /** What lives on the heap and beside it, collected, at the same moments. */
  readonly heldBeforeMb: number;
  readonly heldAfterMb: number;
}

const MB = 1_048_576;
/** One input may take this much processor time; more is a hang. */
const ATTEMPT_MS_MAX = 1_000;
/** What is held may grow by this; the resident memory, of which the collector keeps some for later, by that. */
const HELD_MB_MAX = 16;
const RSS_MB_MAX = 160;
/** Inputs between two turns of the event loop, in which what was put off is done. */
const ATTEMPTS_PER_TURN = 200;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function measure(): Promise<{ readonly rssMb: number; readonly heldMb: number }> {
  await nextTurn();
  collect();
  await nextTurn();
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssMb: rss / MB, heldMb: (heapUsed + external) / MB };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Runs `count` inputs. Throws with the number of the input that the target did not stand, and when memory grew. */
export async function runTarget(
  target: FuzzTarget,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<FuzzReport> {
  const run = target.open(seed);
  const warmUp = Math.ceil(count / 10);
  const startedMs = performance.now();
  let refused = 0;
  let slowestMs = 0;
  let before = await measure();
  for (let index = 0; index < count; index++) {
    if (index === warmUp) before = await measure();
    if (index % ATTEMPTS_PER_TURN === 0) await nextTurn();
    const fromMs = cpuMs();
    try {
      if (run.attempt(index) === "refused") refused++;
    } catch (cause) {
      throw new Error(`${target.name}: input ${index} of seed ${seed}`, { cause });
    }
    slowestMs = Math.max(slowestMs, cpuMs() - fromMs);
  }
  await run.check?.();
  const after = await measure();
  const report = {
    name: target.name,
    seed,
    count,
    refused,
    tookMs: performance.now() - startedMs,
    slowestMs,
    rssBeforeMb: before.rssMb,
    rssAfterMb: after.rssMb,
    heldBeforeMb: before.heldMb,
    heldAfterMb: after.heldMb,
  };
  if (slowestMs > ATTEMPT_MS_MAX)
    throw new Error(`an input took too long: ${renderReport(report)}`);
  const isGrown =
    after.heldMb - before.heldMb > HELD_MB_MAX || after.rssMb - before.rssMb > RSS_MB_MAX;
  if (isGrown) throw new Error(`memory grew: ${renderReport(report)}`);
  return report;
}

/** A report as one line. */
export function renderReport(report: FuzzReport): string {
  const { name, count, refused, tookMs, slowestMs, seed } = report;
  const mb = (value: number): string => value.toFixed(1);
  return (
    `${name}: ${count} inputs, ${refused} refused, ${(tookMs / 1_000).toFixed(1)} s, ` +
    `slowest ${slowestMs.toFixed(1)} ms, resident ${mb(report.rssBeforeMb)} to ${mb(report.rssAfterMb)} MiB, ` +
    `held ${mb(report.heldBeforeMb)} to ${mb(report.heldAfterMb)} MiB (seed ${seed})`
  );
}
