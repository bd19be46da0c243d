// SPDX-License-Identifier: Apache-2.0
// `npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--trace]`
import { parseArgs } from "node:util";
import { runHistory } from "./run-history.ts";

const USAGE = `usage: npm run sim -- [--seed N] [--steps M] [--nodes K] [--histories H] [--trace]
  --seed       of the first history; the others count on from it (default: the time)
  --steps      faults in each (40)
  --nodes      of the fleet (5)
  --histories  how many (1 with --seed, else 100)
  --trace      what befell in each step, and how each node saw the others: + alive, ? suspect, - gone`;

function readNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`--${name} has to be a number`);
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
  const seed = readNumber("seed", values.seed, Date.now() % 2 ** 32);
  const steps = readNumber("steps", values.steps, 40);
  const nodes = Math.max(1, readNumber("nodes", values.nodes, 5));
  const histories = readNumber("histories", values.histories, values.seed === undefined ? 100 : 1);
  const began = performance.now();
  let [events, virtualMs] = [0, 0];
  for (let at = 0; at < histories; at++) {
    const history = await runHistory({ seed: seed + at, steps, nodes });
    events += history.events;
    virtualMs += history.virtualMs;
    if (values.trace === true || history.faults.length > 0)
      process.stdout.write(`${history.trace.join("\n")}\n`);
    if (values.trace === true) process.stdout.write(`hash ${history.hash}\n`);
    if (history.faults.length === 0) continue;
    process.stdout.write(`${history.faults.map((fault) => `✗ ${fault}\n`).join("")}`);
    process.stdout.write(
      `seed ${seed + at}: npm run sim -- --seed ${seed + at} --steps ${steps} --nodes ${nodes}\n`,
    );
    return 1;
  }
  const seconds = (performance.now() - began) / 1_000;
  const hours = virtualMs / 3_600_000;
  process.stdout.write(
    `✓ ${histories} histories from seed ${seed}, ${steps} steps each: nothing broken in ${hours.toFixed(2)} h of virtual time, ${events} events, ${seconds.toFixed(1)} s\n`,
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
