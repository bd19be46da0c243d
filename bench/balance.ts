// SPDX-License-Identifier: Apache-2.0
// Connections through a service address: whether their cost grows with instances or services, beside haproxy in front of
// the same instances and a connection straight to one. All in namespaces of its own, on one bridge.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BalancedService } from "#balance/balancer.ts";
import { createNftBalancer } from "#balance/nft-balancer.ts";
import { createNamespace } from "#lab/engine.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { runInNamespace } from "#lab/run-program.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { ensurePackages } from "../scripts/setup.ts";
import type { CallResult } from "./balance-ends.ts";
import type { Bench, Sample } from "./bench.ts";

const ENDS = fileURLToPath(new URL("balance-ends.ts", import.meta.url));
const ROUNDS = Number(process.env["BALANCE_ROUNDS"] ?? 7);
const CALLS = Number(process.env["BALANCE_CALLS"] ?? 4_000);
const RANGES = ["198.18.0.0/16"];
const ADDRESS = "198.18.0.1";
const INSTANCES_MAX = 100;
const INSTANCES = [1, 10, 100];
const SERVICES = [10, 1_000];
const PROXY = "10.9.0.3";

const addressOf = (instance: number): string => `10.9.1.${instance + 1}`;

/** A caller, a proxy, and one place that has the addresses of all instances. */
interface Field {
  readonly netnsOf: (name: string) => string;
  call(host: string): Promise<CallResult>;
  start(name: string, program: string, args: readonly string[]): ChildProcess;
}

function layCables(ledger: Ledger): (name: string) => string {
  const space = (name: string): string => `${ledger.tag}-${name}`;
  const run = (name: string, ...args: string[]): string => runInNamespace(space(name), "ip", args);
  createNamespace(ledger, space("switch"));
  run("switch", "link", "add", "br0", "type", "bridge");
  run("switch", "link", "set", "br0", "up");
  for (const [i, name] of ["caller", "proxy", "instances"].entries()) {
    createNamespace(ledger, space(name));
    const peer = ["peer", "name", "eth0", "netns", space(name)];
    run("switch", "link", "add", name, "type", "veth", ...peer);
    run("switch", "link", "set", name, "master", "br0", "up");
    run(name, "address", "add", `10.9.0.${i + 2}/16`, "dev", "eth0");
    run(name, "link", "set", "eth0", "up");
    run(name, "route", "add", "default", "via", "10.9.0.1");
  }
  for (let i = 0; i < INSTANCES_MAX; i++)
    run("instances", "address", "add", `${addressOf(i)}/16`, "dev", "eth0");
  return (name) => `/run/netns/${space(name)}`;
}

function openField(ledger: Ledger, children: ChildProcess[]): Field {
  const netnsOf = layCables(ledger);
  function start(name: string, program: string, args: readonly string[]): ChildProcess {
    const child = spawn("nsenter", [`--net=${netnsOf(name)}`, program, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    return child;
  }
  return {
    netnsOf,
    start,
    async call(host) {
      const child = start("caller", process.execPath, [ENDS, "call", host, String(CALLS)]);
      let text = "";
      child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await once(child, "close");
      return JSON.parse(text) as CallResult;
    },
  };
}

/** So many services; the one that is called has so many instances, the others one each. */
function makeServices(services: number, instances: number): readonly BalancedService[] {
  const target = (i: number) => ({ id: `i${i}`, addresses: [addressOf(i)] });
  return Array.from({ length: services }, (_, i) => ({
    key: `bench/s${i}`,
    addresses: [`198.18.${i >> 8}.${(i & 255) + (i === 0 ? 1 : 0)}`],
    targets: i === 0 ? Array.from({ length: instances }, (_ignored, n) => target(n)) : [target(0)],
    sticky: false,
  })).filter(({ addresses }, i) => i === 0 || addresses[0] !== ADDRESS);
}

function writeProxyConfig(directory: string, instances: number): string {
  const servers = Array.from({ length: instances }, (_, i) => `  server i${i} ${addressOf(i)}:80`);
  const path = join(directory, `haproxy-${instances}.cfg`);
  const lines = [
    "defaults",
    "  mode tcp",
    "  timeout connect 5s",
    "  timeout client 30s",
    "  timeout server 30s",
    "listen bench",
    `  bind ${PROXY}:80`,
    "  balance random",
    ...servers,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

async function measureProxy(field: Field, directory: string, count: number): Promise<CallResult> {
  const proxy = field.start("proxy", "haproxy", ["-f", writeProxyConfig(directory, count), "-db"]);
  const ended = once(proxy, "close");
  try {
    await waitForPort(field, PROXY);
    return await field.call(PROXY);
  } finally {
    proxy.kill("SIGKILL");
    await ended;
  }
}

/** Until something listens; throws when nothing does for five seconds. */
async function waitForPort(field: Field, host: string): Promise<void> {
  const code =
    "const { connect } = require('net'); const until = Date.now() + 5000; const go = () => {" +
    "const s = connect(80, process.argv[1]); s.on('connect', () => process.exit(0));" +
    "s.on('error', () => Date.now() > until ? process.exit(1) : setTimeout(go, 10)); }; go();";
  const [exit] = await once(field.start("caller", process.execPath, ["-e", code, host]), "close");
  if (exit !== 0) throw new Error(`nothing listens at ${host}`);
}

async function measure(
  field: Field,
  directory: string,
  { say, sample }: { say(line: string): void; sample(sample: Sample): void },
): Promise<void> {
  const balancer = createNftBalancer({
    netfilter: createNetfilter(),
    ranges: RANGES,
    netns: field.netnsOf("caller"),
  });
  const tell = (suffix: string, subject: string, { perSecond, p99Us }: CallResult): void => {
    const parts = { subject };
    sample({ ...parts, metric: `connections_per_s_${suffix}`, unit: "/s", value: perSecond });
    sample({ ...parts, metric: `connect_p99_us_${suffix}`, unit: "us", value: p99Us });
  };
  async function through(services: number, instances: number): Promise<CallResult> {
    const wanted = makeServices(services, instances);
    const { failures } = await balancer.apply([{ id: "host", own: [], services: wanted }]);
    for (const failure of failures.values()) throw failure;
    return field.call(ADDRESS);
  }
  for (let round = 0; round < ROUNDS; round++) {
    say(`round ${round + 1} of ${ROUNDS}`);
    for (const count of INSTANCES) {
      tell(`instances_${count}`, "fairlead", await through(10, count));
      tell(`instances_${count}`, "haproxy", await measureProxy(field, directory, count));
    }
    for (const count of SERVICES) tell(`services_${count}`, "fairlead", await through(count, 10));
    tell("instances_1", "no-address", await field.call(addressOf(0)));
  }
}

/** The bench. */
export const balance: Bench = {
  name: "balance",
  about:
    "connections a second through a service address, by instances and services, against haproxy",
  async run(tools) {
    ensurePackages([
      { program: "haproxy", package: "haproxy" },
      { program: "nft", package: "nftables" },
    ]);
    const children: ChildProcess[] = [];
    const directory = mkdtempSync(join(tmpdir(), "fairlead-balance-"));
    const ledger = openLedger();
    try {
      const field = openField(ledger, children);
      const server = field.start("instances", process.execPath, [ENDS, "serve"]);
      if (server.stdout !== null) await once(server.stdout, "data");
      await measure(field, directory, tools);
    } finally {
      for (const child of children) child.kill("SIGKILL");
      ledger.clear();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
