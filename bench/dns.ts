// SPDX-License-Identifier: Apache-2.0
// Answers a second, and how long one takes, beside Debian's dnsmasq and unbound with the same names. All three are asked
// by dnsperf, one process each.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePackages } from "../scripts/setup.ts";
import type { Bench, Sample } from "./bench.ts";

const NEEDS = [
  { program: "dnsperf", package: "dnsperf" },
  { program: "dnsmasq", package: "dnsmasq-base" },
  { program: "unbound", package: "unbound" },
];
const NAMES = 1_000;
const ROUNDS = 5;
const SECONDS = 3;
/** For the time one answer takes: a load that none of them is near its end with. */
const STEADY_PER_SECOND = 2_000;
const SERVER = fileURLToPath(new URL("./dns-server.ts", import.meta.url));

interface Subject {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
}

/** A port that is free now. */
async function findPort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

const nameOf = (i: number): string => `service${i}.shop.fairlead.internal`;
const addressOf = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

async function prepare(directory: string): Promise<readonly Subject[]> {
  const entries = Array.from({ length: NAMES }, (_, i) => [addressOf(i), nameOf(i)] as const);
  const hosts = join(directory, "hosts");
  writeFileSync(hosts, entries.map((entry) => `${entry.join(" ")}\n`).join(""));
  writeFileSync(join(directory, "queries"), entries.map(([, name]) => `${name} A\n`).join(""));
  const [own, dnsmasq, unbound] = [await findPort(), await findPort(), await findPort()];
  const config = join(directory, "unbound.conf");
  const data = entries.map(([address, name]) => `  local-data: "${name}. 2 IN A ${address}"`);
  const lines = [
    "server:",
    "  interface: 127.0.0.1",
    `  port: ${unbound}`,
    "  num-threads: 1",
    '  username: ""',
    '  chroot: ""',
    `  directory: "${directory}"`,
    '  pidfile: ""',
    "  use-syslog: no",
    '  local-zone: "fairlead.internal." static',
    ...data,
    "remote-control:",
    "  control-enable: no",
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  const masqFlags = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"];
  const masqPlace = [`--port=${dnsmasq}`, "--listen-address=127.0.0.1", "--bind-interfaces"];
  const masqData = [`--addn-hosts=${hosts}`, "--local-ttl=2", "--user=root", "--pid-file="];
  return [
    { name: "fairlead", port: own, command: [process.execPath, SERVER, `${own}`, hosts] },
    {
      name: "dnsmasq",
      port: dnsmasq,
      command: ["/usr/sbin/dnsmasq", ...masqFlags, ...masqPlace, ...masqData],
    },
    { name: "unbound", port: unbound, command: ["/usr/sbin/unbound", "-d", "-p", "-c", config] },
  ];
}

function runDnsperf({ port }: Subject, directory: string, flags: readonly string[]): string {
  const place = ["-s", "127.0.0.1", "-p", `${port}`, "-d", join(directory, "queries")];
  const { stdout, stderr, status } = spawnSync("dnsperf", [...place, ...flags], {
    encoding: "utf8",
    maxBuffer: 256 * 1_048_576,
  });
  if (status !== 0) throw new Error(`dnsperf: ${stderr}`);
  const lost = /Queries lost:\s+(\d+)/.exec(stdout)?.[1];
  const good = /NOERROR \d+ \(100\.00%\)/.test(stdout);
  if (!good)
    throw new Error(`not all answers were good (${lost ?? "?"} lost): ${stdout.slice(-900)}`);
  return stdout;
}

/** Waits until a server answers all names. */
async function waitUntilUp(subject: Subject, directory: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      runDnsperf(subject, directory, ["-n", "1", "-t", "1", "-q", "10"]);
      return;
    } catch (error) {
      if (tries > 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function measure(subject: Subject, directory: string, sample: (sample: Sample) => void): void {
  const full = runDnsperf(subject, directory, ["-l", `${SECONDS}`, "-c", "8", "-q", "100"]);
  const perSecond = Number(/Queries per second:\s+([\d.]+)/.exec(full)?.[1]);
  sample({ metric: "queries_per_s", unit: "1/s", subject: subject.name, value: perSecond });
  const steady = ["-l", `${SECONDS}`, "-c", "8", "-Q", `${STEADY_PER_SECOND}`, "-v"];
  const each = runDnsperf(subject, directory, steady);
  const takenMs = [...each.matchAll(/^> NOERROR \S+ A ([\d.]+)$/gm)]
    .map((match) => Number(match[1]) * 1_000)
    .sort((a, b) => a - b);
  const p99Ms = takenMs[Math.ceil(takenMs.length * 0.99) - 1] ?? Number.NaN;
  sample({ metric: "p99_ms", unit: "ms", subject: subject.name, value: p99Ms });
}

export const dns: Bench = {
  name: "dns",
  about: `answers to ${NAMES} names at full load, and the 99th percentile at ${STEADY_PER_SECOND} a second`,
  async run({ say, sample }) {
    ensurePackages(NEEDS);
    const directory = mkdtempSync(join(tmpdir(), "fairlead-dns-"));
    const children: ChildProcess[] = [];
    try {
      const subjects = await prepare(directory);
      for (const subject of subjects) {
        const [program = "", ...args] = subject.command;
        children.push(spawn(program, args, { stdio: "ignore" }));
        await waitUntilUp(subject, directory);
        runDnsperf(subject, directory, ["-l", "1", "-q", "100"]);
      }
      for (let round = 1; round <= ROUNDS; round++) {
        say(`round ${round} of ${ROUNDS}`);
        for (const subject of subjects) measure(subject, directory, sample);
      }
    } finally {
      for (const child of children) child.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
