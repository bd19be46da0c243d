// SPDX-License-Identifier: Apache-2.0
// `npm run fuzz -- NAME|all [--count N] [--seed S]`: hostile input by the million. The tests run the same, shorter.
import { parseArgs } from "node:util";
import { describeUnknown, readWhole, runScript } from "../../scripts/run-script.ts";
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

function readWords(words: readonly string[]): Words {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      count: { type: "string", default: COUNT },
      seed: { type: "string", default: SEED },
    },
  });
  const [wanted] = positionals;
  if (wanted === undefined) throw new TypeError("say what is to be fuzzed, or all");
  const targets = TARGETS.filter(({ name }) => wanted === "all" || name === wanted);
  const names = ["all", ...TARGETS.map(({ name }) => name)];
  if (targets.length === 0) throw new TypeError(describeUnknown("target", wanted, names));
  const count = readWhole("count", values.count, { min: 1 });
  return { targets, count, seed: readWhole("seed", values.seed) };
}

async function run({ targets, count, seed }: Words): Promise<number> {
  for (const target of targets)
    process.stdout.write(`${renderReport(await runTarget(target, { count, seed }))}\n`);
  return 0;
}

process.exit(await runScript(process.argv.slice(2), { usage, read: readWords, run }));
