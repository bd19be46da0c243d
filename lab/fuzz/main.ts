// SPDX-License-Identifier: Apache-2.0
// `npm run fuzz -- NAME|all [--count N] [--seed S]`: hostile input by the million. The tests run the same, shorter.
import { parseArgs } from "node:util";
import { renderReport, runTarget } from "./target.ts";
import { TARGETS } from "./targets.ts";

const COUNT = "1000000";
const SEED = "20261123";

function usage(): string {
  const lines = TARGETS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}\n`);
  return `usage: npm run fuzz -- NAME|all [--count ${COUNT}] [--seed ${SEED}]\n\n${lines.join("")}`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: "string", default: COUNT }, seed: { type: "string", default: SEED } },
  });
  const [wanted] = positionals;
  const targets = TARGETS.filter(({ name }) => wanted === "all" || name === wanted);
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (targets.length === 0 || !Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
    process.stderr.write(usage());
    return 2;
  }
  for (const target of targets)
    process.stdout.write(`${renderReport(await runTarget(target, { count, seed }))}\n`);
  return 0;
}

process.exit(await main());
