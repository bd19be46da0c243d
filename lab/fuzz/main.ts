// SPDX-License-Identifier: Apache-2.0
// `npm run fuzz -- NAME|all [--count N] [--seed S]`: hostile input by the million. The tests run the same, shorter.
import { parseArgs } from "node:util";
import {
  asksForHelp,
  describeUnknown,
  readComplaint,
  refuseWords,
  tellUsage,
} from "../../scripts/tell-usage.ts";
import { renderReport, runTarget } from "./target.ts";
import { TARGETS } from "./targets.ts";

const COUNT = "1000000";
const SEED = "20261123";

function usage(): string {
  const lines = TARGETS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}\n`);
  return `usage: npm run fuzz -- NAME|all [--count ${COUNT}] [--seed ${SEED}]\n\n${lines.join("")}`;
}

interface Words {
  readonly targets: typeof TARGETS;
  readonly count: number;
  readonly seed: number;
}

/** A text is what is wrong with the words. */
function readWords(words: readonly string[]): Words | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        count: { type: "string", default: COUNT },
        seed: { type: "string", default: SEED },
      },
    });
    const [wanted] = positionals;
    if (wanted === undefined) return "say what is to be fuzzed, or all";
    const targets = TARGETS.filter(({ name }) => wanted === "all" || name === wanted);
    const names = ["all", ...TARGETS.map(({ name }) => name)];
    if (targets.length === 0) return describeUnknown("target", wanted, names);
    const [count, seed] = [Number(values.count), Number(values.seed)];
    if (!Number.isInteger(count) || count < 1) return "--count has to be a number of 1 or more";
    return Number.isInteger(seed) ? { targets, count, seed } : "--seed has to be a whole number";
  } catch (thrown) {
    return readComplaint(thrown);
  }
}

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  if (asksForHelp(words)) return tellUsage(usage());
  const read = readWords(words);
  if (typeof read === "string") return refuseWords(read, usage());
  const { targets, count, seed } = read;
  for (const target of targets)
    process.stdout.write(`${renderReport(await runTarget(target, { count, seed }))}\n`);
  return 0;
}

process.exit(await main());
