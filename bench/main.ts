// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- NAME [--json]`
import { parseArgs } from "node:util";
import { describeUnknown, runScript } from "../scripts/run-script.ts";
import { ensurePackages, TEST_NEEDS } from "../scripts/setup.ts";
import { formatFigure, summarize, type Bench, type Row, type Sample } from "./bench.ts";

/** Benchmarks by name; each is loaded when it is run. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  heal: async () => (await import("./heal.ts")).heal,
  up: async () => (await import("./up.ts")).up,
  idle: async () => (await import("./idle.ts")).idle,
  reconcile: async () => (await import("./reconcile.ts")).reconcile,
  schedule: async () => (await import("./schedule.ts")).schedule,
  routing: async () => (await import("./routing.ts")).routing,
  dns: async () => (await import("./dns.ts")).dns,
  log: async () => (await import("./log.ts")).log,
  fabric: async () => (await import("./fabric.ts")).fabric,
  mtls: async () => (await import("./mtls.ts")).mtls,
  techniques: async () => (await import("./techniques.ts")).techniques,
  discovery: async () => (await import("./discovery.ts")).discovery,
  overlay: async () => (await import("./overlay.ts")).overlay,
  balance: async () => (await import("./balance.ts")).balance,
  converge: async () => (await import("./converge.ts")).converge,
  failover: async () => (await import("./failover.ts")).failover,
  policy: async () => (await import("./policy.ts")).policy,
  "start-leak": async () => (await import("./start-leak.ts")).startLeak,
  sdk: async () => (await import("./sdk.ts")).sdk,
  authz: async () => (await import("./authz.ts")).authz,
  socket: async () => (await import("./socket.ts")).socket,
  sim: async () => (await import("./sim.ts")).sim,
};

/** Those that need no engine, and say themselves what else they need. */
const WITHOUT_ENGINE: ReadonlySet<string> = new Set([
  "reconcile",
  "schedule",
  "routing",
  "log",
  "dns",
  "fabric",
  "mtls",
  "techniques",
  "discovery",
  "balance",
  "policy",
  "authz",
  "sdk",
  "sim",
]);

function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const own = rows.find((other) => other.metric === row.metric && other.subject === "fairlead");
    const ratio =
      own === undefined || row.subject === "fairlead"
        ? ""
        : `fairlead is ${formatFigure(own.p50 / row.p50)} ×`;
    return [
      row.metric,
      row.subject,
      formatFigure(row.p50),
      formatFigure(row.p99),
      row.unit,
      String(row.n),
      ratio,
    ];
  });
  const table = [["METRIC", "SUBJECT", "P50", "P99", "UNIT", "N", "RATIO OF MEDIANS"], ...cells];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

async function describeUsage(): Promise<string> {
  const benches = await Promise.all(Object.values(BENCHES).map((open) => open()));
  const width = Math.max(...benches.map(({ name }) => name.length));
  return [
    "usage: npm run bench -- NAME [--json]",
    "",
    ...benches.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`),
    "",
    "--json prints one object a line; bench/README.md names the metrics, and the variables that make a run shorter",
  ].join("\n");
}

interface Words {
  readonly name: string;
  readonly load: () => Promise<Bench>;
  readonly json: boolean;
}

/** Which is to be run, and how. */
function readWords(words: readonly string[]): Words {
  const options = { json: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options });
  const [name = "", more] = positionals;
  if (more !== undefined) throw new TypeError(`one at a time: ${more} is one name too many`);
  const load = BENCHES[name];
  if (load === undefined) throw new TypeError(describeUnknown("bench", name, Object.keys(BENCHES)));
  return { name, load, json: values.json };
}

async function run({ name, load, json }: Words): Promise<number> {
  if (!WITHOUT_ENGINE.has(name)) ensurePackages(TEST_NEEDS);
  const bench = await load();
  const samples: Sample[] = [];
  await bench.run({
    say: (line) => void process.stderr.write(`${line}\n`),
    sample: (sample) => void samples.push(sample),
  });
  const rows = summarize(bench.name, samples);
  if (json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else process.stdout.write(`${renderTable(rows)}\n`);
  return 0;
}

const words = process.argv.slice(2);
process.exit(
  await runScript(words.length === 0 ? ["--help"] : words, {
    usage: describeUsage,
    read: readWords,
    run,
  }),
);
