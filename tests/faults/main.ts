// SPDX-License-Identifier: Apache-2.0
// `npm run faults -- [NAME…] [--hosts N] [--rate R]`: faults on a fleet of real engines, with a client that calls every service all
// the time. Ends with 1 when something did not hold.
import { parseArgs } from "node:util";
import { describeUnknown, readWhole, runScript } from "../../scripts/run-script.ts";
import { ensurePackages, TEST_NEEDS } from "../../scripts/setup.ts";
import { CASES } from "./cases.ts";
import { openGround } from "./ground.ts";
import { openOtherBuild } from "./other-build.ts";
import { renderTable } from "./render-table.ts";
import { renderOutcome, runCase, type FaultCase, type Outcome } from "./run-case.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Each has an engine. */
const HOSTS_MAX = 9;
const RATE_MAX = 10_000;

interface Words {
  readonly cases: readonly FaultCase[];
  readonly hosts: number;
  readonly rate: number;
}

function describeUsage(): string {
  const width = Math.max(...CASES.map(({ name }) => name.length));
  const rows = Math.max(...CASES.map((one) => one.rows.length));
  return [
    "usage: npm run faults -- [NAME…] [--hosts N] [--rate CALLS_A_SECOND]",
    "",
    "  --hosts  how many hosts (5); what needs more is left out",
    "  --rate   calls a second to each service, all the time (100)",
    "",
    "all of them, or those that are named:",
    ...CASES.map((one) => `  ${one.name.padEnd(width)}  ${one.rows.padEnd(rows)}  ${one.about}`),
    "",
    "ends with 1 when something did not hold",
  ].join("\n");
}

function readWords(words: readonly string[]): Words {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      hosts: { type: "string", default: "5" },
      rate: { type: "string", default: "100" },
    },
  });
  const known = new Map(CASES.map((one) => [one.name, one]));
  const unknown = positionals.find((name) => !known.has(name));
  if (unknown !== undefined) throw new TypeError(describeUnknown("fault", unknown, known.keys()));
  const named = positionals.flatMap((name) => known.get(name) ?? []);
  return {
    cases: named.length === 0 ? CASES : named,
    hosts: readWhole("hosts", values.hosts, { min: 1, max: HOSTS_MAX }),
    rate: readWhole("rate", values.rate, { min: 1, max: RATE_MAX }),
  };
}

interface PartOptions {
  readonly hosts: number;
  readonly rate: number;
}

/** Those that share a fleet; what cannot be tried is said. */
async function runPart(
  cases: readonly FaultCase[],
  { hosts, rate }: PartOptions,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  try {
    using other = cases.some((one) => one.isOfTwoBuilds) ? openOtherBuild() : undefined;
    await using ground = await openGround({ hosts, rate, other });
    for (const one of cases.filter((each) => each.hosts <= hosts)) {
      const outcome = await runCase(one, ground);
      say(renderOutcome(outcome));
      outcomes.push(outcome);
    }
  } catch (error) {
    const missing = cases.slice(outcomes.length).map(({ name }) => name);
    say(
      `not tried: ${missing.join(", ")}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return outcomes;
}

async function run({ cases, hosts, rate }: Words): Promise<number> {
  ensurePackages([...TEST_NEEDS, { program: "faketime", package: "faketime" }]);
  const outcomes: Outcome[] = [];
  for (const isOfTwoBuilds of [false, true]) {
    const part = cases.filter((one) => (one.isOfTwoBuilds === true) === isOfTwoBuilds);
    if (part.length > 0) outcomes.push(...(await runPart(part, { hosts, rate })));
  }
  const held = outcomes.filter(({ figures }) => figures.every(({ holds }) => holds)).length;
  const possible = cases.filter((one) => one.hosts <= hosts).length;
  say(`\n${renderTable(outcomes)}\n\n${held} of ${cases.length} hold`);
  return held === possible ? 0 : 1;
}

process.exit(
  await runScript(process.argv.slice(2), { usage: describeUsage, read: readWords, run }),
);
