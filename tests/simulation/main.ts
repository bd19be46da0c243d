// SPDX-License-Identifier: Apache-2.0
// `npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--trace]`
import { parseArgs } from "node:util";
import { runHistory, type History, type HistoryOptions } from "./run-history.ts";
import { describeRun, runMany, shapeHistory } from "./run-many.ts";

const USAGE = `usage: npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--trace]
  --seed       of the first history; the others count on from it (default: the time)
  --steps      faults in each (40 for one history; many are of 1 to 9)
  --nodes      of the fleet (5 for one history; many have 2 to 5)
  --histories  how many, on all cores (1 with --seed, else 1000)
  --trace      of one history: what befell in each step, how each node saw the others (+ alive, ? suspect, - gone), and what
               ran on it`;

function readNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`--${name} has to be a number`);
}

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

async function run(): Promise<number> {
  const option = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      seed: option,
      steps: option,
      nodes: option,
      histories: option,
      trace: { type: "boolean" },
    },
  });
  const first = readNumber("seed", values.seed) ?? Date.now() % 2 ** 32;
  const steps = readNumber("steps", values.steps);
  const nodes = readNumber("nodes", values.nodes);
  const count =
    readNumber("histories", values.histories) ?? (values.seed === undefined ? 1_000 : 1);
  if (count === 1)
    return runOne({ seed: first, steps: steps ?? 40, nodes: nodes ?? 5 }, values.trace === true);
  const began = performance.now();
  function* list(): Generator<HistoryOptions> {
    for (let seed = first; seed < first + count; seed++) {
      const shape = shapeHistory(seed);
      yield { seed, steps: steps ?? shape.steps, nodes: nodes ?? shape.nodes };
    }
  }
  const { histories, events, virtualMs, broken } = await runMany(list());
  if (broken !== undefined) {
    printFaults(broken.options, broken.history);
    return 1;
  }
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  const hours = (virtualMs / 3_600_000).toFixed(1);
  print(
    `✓ ${histories} histories from seed ${first}: nothing broken in ${hours} h of virtual time, ${events} events, ${seconds} s`,
  );
  return 0;
}

try {
  process.exitCode = await run();
} catch (thrown) {
  if (!(thrown instanceof TypeError)) throw thrown;
  process.stderr.write(`${thrown.message}\n${USAGE}\n`);
  process.exitCode = 2;
}
