// SPDX-License-Identifier: Apache-2.0
// Three hosts on one bridge, in namespaces of their own, each with a node: two share a key, the third has another one.
// The nodes have no engine, which discovery does not need.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { AgentView, DiscoveryWay, NodeStatus } from "@fairlead/protocol/views.ts";
import { join, type Agent } from "@fairlead/sdk";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { createNamespace } from "#lab/engine.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { askSocket, until } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = joinPath(ROOT, "src/main.ts");
const HEARTBEAT_MS = 500;
const PATIENCE_MS = 15_000;
const NETWORK = "198.51.100";

interface Host {
  readonly netns: string;
  readonly socket: string;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  cli(...args: readonly string[]): Promise<string>;
  agents(): Promise<readonly AgentView[]>;
  way(kind: DiscoveryWay["kind"]): Promise<DiscoveryWay>;
}

function plugIn(ledger: Ledger, index: number): string {
  const switchName = `${ledger.tag}-sw`;
  const netns = `${ledger.tag}-d${index}`;
  createNamespace(ledger, netns);
  const peer = ["peer", "name", "eth0", "netns", netns];
  runProgram("ip", ["-n", switchName, "link", "add", `d${index}`, "type", "veth", ...peer]);
  runProgram("ip", ["-n", switchName, "link", "set", `d${index}`, "master", "br0", "up"]);
  runProgram("ip", ["-n", netns, "address", "add", `${NETWORK}.${index}/24`, "dev", "eth0"]);
  runProgram("ip", ["-n", netns, "link", "set", "eth0", "up"]);
  return netns;
}

function createSwitch(ledger: Ledger): void {
  const switchName = `${ledger.tag}-sw`;
  createNamespace(ledger, switchName);
  const bridge = ["type", "bridge", "forward_delay", "0", "mcast_snooping", "0"];
  runProgram("ip", ["-n", switchName, "link", "add", "br0", ...bridge]);
  runProgram("ip", ["-n", switchName, "link", "set", "br0", "up"]);
}

async function readOutput(child: ChildProcess): Promise<string> {
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child, "close");
  return output;
}

function createHost(ledger: Ledger, index: number, key: string, seeds: string): Host {
  const netns = plugIn(ledger, index);
  const directory = joinPath(ledger.directory, `d${index}`);
  const stateDir = joinPath(directory, "state");
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(joinPath(stateDir, "discovery-key"), key, { mode: 0o600 });
  const socket = joinPath(directory, "fairlead.sock");
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_STATE_DIR: stateDir,
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_NODE_NAME: `host${index}`,
    FAIRLEAD_ENGINE_ENDPOINT: `unix://${directory}/no-engine.sock`,
    FAIRLEAD_DISCOVERY_INTERFACE: "eth0",
    FAIRLEAD_DISCOVERY_HEARTBEAT_MS: String(HEARTBEAT_MS),
    FAIRLEAD_DISCOVERY_SEEDS: seeds,
    NO_COLOR: "1",
  };
  const inside = [`--net=/run/netns/${netns}`, process.execPath];
  let child: ChildProcess | undefined;
  const read = async <T>(path: string): Promise<T> => (await askSocket<T>(socket, path)).body;
  return {
    netns,
    socket,
    async start() {
      const args = [...inside, ...NODE_PROCESS_FLAGS, MAIN, "node"];
      const started = spawn("nsenter", args, { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
      let log = "";
      started.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
      if (started.pid !== undefined) ledger.noteProcess(started.pid);
      child = started;
      await new Promise<void>((resolve, reject) => {
        started.once("message", () => resolve());
        started.once("exit", (code) => reject(new Error(`node ${index} ended, ${code}: ${log}`)));
      });
    },
    async kill(signal) {
      const ended = child === undefined ? undefined : once(child, "exit");
      child?.kill(signal);
      await ended;
      child = undefined;
    },
    cli: (...args) =>
      readOutput(spawn("nsenter", [...inside, MAIN, ...args], { env, stdio: "pipe" })),
    agents: async () => (await read<{ items: AgentView[] }>("agents")).items,
    async way(kind) {
      const { discovery = [] } = await read<NodeStatus>("status");
      const found = discovery.find((one) => one.kind === kind);
      assert.ok(found);
      return found;
    },
  };
}

const ledger = openLedger();
const agents: Agent[] = [];
let one: Host;
let two: Host;
let stranger: Host;

async function joinAt(host: Host, name: string): Promise<void> {
  const node = `unix:${joinPath(host.socket, "../fabric/fabric.sock")}`;
  agents.push(await join({ name, kind: "agent", scope: "lab", node }));
}

async function find(host: Host, name: string): Promise<AgentView | undefined> {
  return (await host.agents()).find((agent) => agent.name === name);
}

/** Closes the group to a host, and leaves everything else open. */
function dropGroup(host: Host): void {
  const rules = [
    "add table inet closed",
    "add chain inet closed in { type filter hook input priority 0; }",
    "add rule inet closed in ip daddr 224.0.0.0/4 drop",
  ];
  runInNamespace(host.netns, "nft", [rules.join("; ")]);
}

before(async () => {
  createSwitch(ledger);
  const key = "a key that both of them have";
  one = createHost(ledger, 1, key, `${NETWORK}.2:7119`);
  two = createHost(ledger, 2, key, "");
  stranger = createHost(ledger, 3, "another key of a stranger", `${NETWORK}.2:7119`);
  await Promise.all([one.start(), two.start(), stranger.start()]);
  await Promise.all([joinAt(one, "alpha"), joinAt(two, "beta"), joinAt(stranger, "gamma")]);
});

after(async () => {
  await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
  await Promise.all([one, two, stranger].map((host) => host.kill("SIGKILL")));
  ledger.clear();
});

test("agents of two hosts are seen on both, by multicast", async () => {
  const isNear = async (host: Host, name: string) =>
    (await find(host, name))?.source === "multicast";
  await until("host 1 sees beta", PATIENCE_MS, () => isNear(one, "beta"));
  await until("host 2 sees alpha", PATIENCE_MS, () => isNear(two, "alpha"));
  assert.equal((await find(one, "beta"))?.node, "host2");
  assert.equal((await find(one, "alpha"))?.source, undefined);
  assert.match(await one.cli("agents", "--scope", "lab"), /beta +lab +agent +ok .*host2/);
});

test("a host with another key is ignored and counted", async () => {
  const count = async () => (await one.way("multicast")).counters["unauthenticated"] ?? 0;
  await until("the stranger is counted", PATIENCE_MS, async () => (await count()) > 0);
  await until(
    "the stranger is counted as a seed",
    PATIENCE_MS,
    async () => ((await two.way("seeds")).counters["unauthenticated"] ?? 0) > 0,
  );
  assert.equal(await find(one, "gamma"), undefined);
  assert.equal(await find(two, "gamma"), undefined);
  assert.equal(await find(stranger, "alpha"), undefined);
  assert.match(await one.cli("status"), /multicast .* on eth0: 1 node heard; ignored \d+ without/);
});

test("doctor sends a datagram and says that multicast is in use", async () => {
  assert.match(
    await one.cli("doctor", "--only", "discovery"),
    /multicast 239\.255\.71\.17:7118 on eth0: 1 node heard/,
  );
});

test("where multicast is dropped, seeds take over, nobody is offline, and doctor says so", async () => {
  dropGroup(one);
  dropGroup(two);
  const bySeeds = async (host: Host, name: string) => (await find(host, name))?.source === "seeds";
  await until("host 1 has beta by seeds", PATIENCE_MS, () => bySeeds(one, "beta"));
  await until("host 2 has alpha by seeds", PATIENCE_MS, () => bySeeds(two, "alpha"));
  assert.doesNotMatch(await one.cli("decisions", "--scope", "lab"), /offline/);
  const said = await one.cli("doctor", "--only", "discovery");
  assert.match(said, /FL0869/);
  assert.match(said, /multicast does not pass: registry and seeds are in use, 1 node heard/);
  for (const host of [one, two]) runInNamespace(host.netns, "nft", ["delete table inet closed"]);
  const near = async () => (await one.way("multicast")).peers.length === 1;
  await until("multicast is back", PATIENCE_MS, near);
});

test("a node killed with -9 is offline soon, a decision says so, and it comes back", async (t) => {
  const beganMs = performance.now();
  await two.kill("SIGKILL");
  await until(
    "beta is offline",
    PATIENCE_MS,
    async () => (await find(one, "beta"))?.offlineSinceMs !== undefined,
  );
  const beats = (performance.now() - beganMs) / HEARTBEAT_MS;
  t.diagnostic(`offline after ${beats.toFixed(2)} heartbeats of ${HEARTBEAT_MS} ms`);
  assert.match(await one.cli("agents", "--scope", "lab"), /beta +lab +agent +offline/);
  assert.match(await one.cli("decisions", "--scope", "lab"), /marked beta of host2 as offline/);
  await two.start();
  await until("beta is back", PATIENCE_MS, async () => {
    const beta = (await one.agents()).filter(({ name }) => name === "beta");
    return beta.some(({ offlineSinceMs }) => offlineSinceMs === undefined);
  });
});

test("a node that leaves says so: its agents are gone, not offline", async () => {
  await two.kill("SIGTERM");
  await until("beta is gone", PATIENCE_MS, async () => (await find(one, "beta")) === undefined);
});
