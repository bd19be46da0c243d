// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- NAME [--json]`
import { parseArgs } from "node:util";
import { ensurePackages, TEST_NEEDS } from "../scripts/setup.ts";
import { summarize, type Bench, type Row, type Sample } from "./bench.ts";

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

function format(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const own = rows.find((other) => other.metric === row.metric && other.subject === "fairlead");
    const ratio =
      own === undefined || row.subject === "fairlead"
        ? ""
        : `fairlead is ${(own.p50 / row.p50).toFixed(2)} ×`;
    return [
      row.metric,
      row.subject,
      format(row.p50),
      format(row.p99),
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

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean", default: false } },
  });
  const [name] = positionals;
  const load = name === undefined ? undefined : BENCHES[name];
  if (load === undefined) {
    process.stderr.write(`usage: npm run bench -- NAME [--json]\n\n`);
    for (const open of Object.values(BENCHES)) {
      const bench = await open();
      process.stderr.write(`  ${bench.name.padEnd(10)} ${bench.about}\n`);
    }
    return name === undefined ? 0 : 2;
  }
  if (!WITHOUT_ENGINE.has(name ?? "")) ensurePackages(TEST_NEEDS);
  const bench = await load();
  const samples: Sample[] = [];
  await bench.run({
    say: (line) => void process.stderr.write(`${line}\n`),
    sample: (sample) => void samples.push(sample),
  });
  const rows = summarize(bench.name, samples);
  if (values.json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else process.stdout.write(`${renderTable(rows)}\n`);
  return 0;
}

process.exit(await main());
