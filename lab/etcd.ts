// SPDX-License-Identifier: Apache-2.0
// Clusters of real etcd, on the loopback or on hosts of a lab, noted in a ledger, so that they are gone with their owner.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PlainHost } from "./hosts.ts";
import { openLedger } from "./ledger.ts";
import { fetchFrom, type Reachable } from "./reach.ts";

const START_TIMEOUT_MS = 20_000;

/** Files of certificates, PEM. With `clientCa` members take only who proves to be of it. */
export interface EtcdTlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCa: boolean;
}

type PlaceOfMember = Pick<PlainHost, "netns" | "ip">;

export interface EtcdClusterOptions {
  /** How many members; 1 unless said. */
  readonly members?: number;
  readonly tls?: EtcdTlsFiles;
  /**
   * Hosts on which the members run, in turn, and are reached by the other hosts; default this machine's loopback.
   */
  readonly hosts?: readonly PlaceOfMember[];
  /** Further flags, for example `--quota-backend-bytes=…`. A flag said here counts before ours. */
  readonly flags?: readonly string[];
}

/** One member. */
export interface EtcdMember {
  /** `host:port` for clients. */
  readonly endpoint: string;
  /** Sends a signal: SIGSTOP pauses, SIGCONT goes on, SIGKILL is a crash. Resolves when it has ended, if it ends. */
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again on its data. Resolves when it listens. */
  start(): Promise<void>;
  /** Loses all that it had; it must have ended. Members that are all wiped begin anew. */
  wipe(): void;
}

export interface EtcdCluster extends AsyncDisposable {
  readonly members: readonly EtcdMember[];
  /** All of them, as a client is told. */
  readonly endpoints: readonly string[];
  /** How many keys begin so, by the first member's word; without TLS only. Throws when it does not answer. */
  count(prefix: string): Promise<number>;
}

async function findPorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Starts members on free ports. The limits are those that Fairlead's transactions need. Throws what etcd said. */
export async function startEtcd(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  const { members: count = 1, tls, hosts = [], flags = [] } = options;
  const hostOf = (index: number) => hosts[index % hosts.length];
  const ipOf = (index: number): string => hostOf(index)?.ip ?? "127.0.0.1";
  const ledger = openLedger();
  const ports = await findPorts(2 * count);
  const names = Array.from({ length: count }, (_, index) => `m${index}`);
  const clientOf = (index: number): string => `${ipOf(index)}:${ports[2 * index]}`;
  const peerOf = (index: number): string => `http://${ipOf(index)}:${ports[2 * index + 1]}`;
  const cluster = names.map((name, index) => `${name}=${peerOf(index)}`).join(",");
  const running = new Map<string, ChildProcess>();

  function makeFlags(name: string, index: number): string[] {
    const client = `${tls === undefined ? "http" : "https"}://${clientOf(index)}`;
    const trust = tls === undefined ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`];
    if (tls?.clientCa === true) trust.push("--client-cert-auth", `--trusted-ca-file=${tls.ca}`);
    return [
      `--name=${name}`,
      `--data-dir=${join(ledger.directory, name)}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peerOf(index)}`,
      `--initial-advertise-peer-urls=${peerOf(index)}`,
      `--initial-cluster=${cluster}`,
      "--max-txn-ops=4096",
      "--max-request-bytes=41943040",
      // Nothing of a test has to survive the machine.
      "--unsafe-no-fsync",
      "--log-level=warn",
      ...trust,
      ...flags,
    ];
  }

  async function start(name: string, index: number): Promise<void> {
    const log = join(ledger.directory, `${name}.log`);
    rmSync(log, { force: true });
    const output = openSync(log, "a");
    const host = hostOf(index);
    const way = host === undefined ? [] : ["nsenter", `--net=/run/netns/${host.netns}`];
    const [program = "etcd", ...args] = [...way, "etcd", ...makeFlags(name, index)];
    const child = spawn(program, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    if (child.pid !== undefined) ledger.noteProcess(child.pid);
    running.set(name, child);
    child.on("error", () => undefined);
    for (const endMs = performance.now() + START_TIMEOUT_MS; ;) {
      if (child.exitCode !== null || performance.now() > endMs)
        throw new Error(`etcd ${name} does not start:\n${readFileSync(log, "utf8").slice(-2_000)}`);
      // Its port alone says nothing: it listens before it is of the cluster.
      const url = `http://${clientOf(index)}/health`;
      const port = ports[2 * index] ?? 0;
      if (tls !== undefined ? await isListening(port, host) : await isHealthy(url, host)) return;
      await sleep(50);
    }
  }

  async function signal(name: string, sent: NodeJS.Signals): Promise<void> {
    const child = running.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = sent === "SIGKILL" || sent === "SIGTERM" ? once(child, "exit") : undefined;
    child.kill(sent);
    await ended;
  }

  const members = names.map((name, index) => ({
    endpoint: clientOf(index),
    signal: (sent: NodeJS.Signals) => signal(name, sent),
    start: () => start(name, index),
    wipe: () => rmSync(join(ledger.directory, name), { recursive: true, force: true }),
  }));
  mkdirSync(ledger.directory, { recursive: true });
  try {
    await Promise.all(members.map((member) => member.start()));
  } catch (thrown) {
    ledger.clear();
    throw thrown;
  }
  return {
    members,
    endpoints: members.map(({ endpoint }) => endpoint),
    async count(prefix) {
      const encode = (text: string): string => Buffer.from(text).toString("base64");
      // Its gRPC as JSON: all keys from the prefix to the one that follows it.
      const end =
        prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
      const asked = { key: encode(prefix), range_end: encode(end), count_only: true };
      const text = await ask(`http://${clientOf(0)}/v3/kv/range`, hostOf(0), JSON.stringify(asked));
      return Number((JSON.parse(text) as { count?: string }).count ?? 0);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(names.map((name) => signal(name, "SIGKILL")));
      ledger.clear();
    },
  };
}

async function ask(url: string, host: Reachable | undefined, body?: string): Promise<string> {
  if (host !== undefined) return (await fetchFrom(host, url, body)).text;
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", body });
  return answer.text();
}

async function isHealthy(url: string, host: Reachable | undefined): Promise<boolean> {
  try {
    return (await ask(url, host)).includes("true");
  } catch {
    return false;
  }
}

async function isListening(port: number, host: PlaceOfMember | undefined): Promise<boolean> {
  if (host !== undefined) {
    const way = [`--net=/run/netns/${host.netns}`, "busybox", "nc", host.ip, String(port)];
    const [code] = (await once(spawn("nsenter", way, { stdio: "ignore" }), "exit")) as [number];
    return code === 0;
  }
  const socket = connect(port, "127.0.0.1");
  const isOpen = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}
