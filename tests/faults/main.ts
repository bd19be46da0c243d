// SPDX-License-Identifier: Apache-2.0
// `npm run faults -- [NAME…] [--hosts N] [--rate R]`: faults on a fleet of real engines, with a client that calls every service all
// the time. Ends with 1 when something did not hold.
import { parseArgs } from "node:util";
import { ensurePackages, TEST_NEEDS } from "../../scripts/setup.ts";
import { renderTable } from "./render-table.ts";
import { renderOutcome, runCase, type FaultCase, type Outcome } from "./run-case.ts";
import { CASES } from "./cases.ts";
import { openGround } from "./ground.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function readCases(names: readonly string[]): readonly FaultCase[] | undefined {
  if (names.length === 0) return CASES;
  const known = new Map(CASES.map((one) => [one.name, one]));
  const cases = names.flatMap((name) => known.get(name) ?? []);
  return cases.length === names.length ? cases : undefined;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { hosts: { type: "string", default: "5" }, rate: { type: "string", default: "100" } },
  });
  const cases = readCases(positionals);
  if (cases === undefined) {
    say("usage: npm run faults -- [NAME…] [--hosts N] [--rate CALLS_A_SECOND]\n");
    for (const { name, rows, about } of CASES)
      say(`  ${name.padEnd(22)} ${rows.padEnd(12)} ${about}`);
    return 2;
  }
  ensurePackages([...TEST_NEEDS, { program: "faketime", package: "faketime" }]);
  const [hosts, rate] = [Number(values.hosts), Number(values.rate)];
  await using ground = await openGround({ hosts, rate });
  const outcomes: Outcome[] = [];
  let isWhole = true;
  for (const one of cases) {
    if (one.hosts > hosts) continue;
    const outcome = await runCase(one, ground).catch((thrown: unknown) => {
      say(`no more is tried, as the fleet does not come to rest: ${String(thrown)}`);
      return undefined;
    });
    isWhole = outcome !== undefined;
    if (outcome === undefined) break;
    say(renderOutcome(outcome));
    outcomes.push(outcome);
  }
  const held = outcomes.filter(({ figures }) => figures.every(({ holds }) => holds)).length;
  say(`\n${renderTable(outcomes)}\n\n${held} of ${cases.length} hold`);
  return isWhole && held === outcomes.length ? 0 : 1;
}

process.exit(await main());
