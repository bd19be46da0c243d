// SPDX-License-Identifier: Apache-2.0
// Two hosts become a fleet by the commands a person types, and one leaves it again: settings files keep what is in them, and
// nodes take part without anything else done by hand. What a firewall between them drops is told before anything is done;
// a host that is uninstalled takes with it what is its own, and the other goes on.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { NodeStatus, ScopeView } from "@fairlead/protocol/views.ts";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { startHosts, type LabHost, type LabHosts } from "#lab/hosts.ts";
import { importBusybox } from "#lab/images.ts";
import { openLedger } from "#lab/ledger.ts";
import { askSocket, IMAGE, until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");
const PATIENCE_MS = 30_000;
const FILE = `
name: shop
services:
  web:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: { replicas: 2 }
    labels: { fairlead.address: on }
networks:
  default: { driver: vxlan }
`;

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Host {
  readonly lab: LabHost;
  readonly socket: string;
  /** A file beside the settings. */
  file(name: string, text: string): string;
  /** Text of its settings file. */
  settings(): string;
  /** Where it keeps who vouches for the store. */
  readonly trust: string;
  cli(...args: readonly string[]): Said;
  status(): Promise<NodeStatus>;
  nodes(): Promise<readonly NodeView[]>;
  acts(): Promise<readonly string[]>;
}

let lab: LabHosts;
let cluster: EtcdCluster;
let directory: string;
let nodeA: ChildProcess;
let [a, b]: Host[] = [];
/** Nodes that commands started in the background. */
const ledger = openLedger();

function createHost(host: LabHost, index: number): Host & { readonly env: NodeJS.ProcessEnv } {
  const inside = [`--net=/run/netns/${host.netns}`, process.execPath];
  const place = join(directory, String(index));
  const file = join(place, "fairlead.yaml");
  const socket = join(place, "fairlead.sock");
  mkdirSync(place);
  const lines = [
    `# host ${index}, see the rack plan`,
    "version: 1",
    `nodeName: node-${"ab"[index]}`,
    `stateDir: ${place}/state`,
    `socket: ${socket}`,
    "listen: off # no page here",
    "engine:",
    `  endpoint: ${host.endpoint}`,
    "fleet:",
    "  listen: 0.0.0.0:17122 # the port that the firewall lets pass",
    "",
  ];
  writeFileSync(file, lines.join("\n"));
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_CONFIG: file,
    FAIRLEAD_SOCKET: socket,
    NO_COLOR: "1",
  };
  const list = async <T>(path: string) =>
    (await askSocket<{ items: readonly T[] }>(socket, path)).body.items;
  return {
    env,
    lab: host,
    socket,
    file(name, text) {
      writeFileSync(join(place, name), text);
      return join(place, name);
    },
    trust: join(place, "state/fleet-ca.pem"),
    settings: () => readFileSync(file, "utf8"),
    cli(...args) {
      const { status, stdout, stderr } = spawnSync("nsenter", [...inside, MAIN, ...args], {
        env,
        encoding: "utf8",
      });
      return { code: status, stdout, stderr };
    },
    status: async () => (await askSocket<NodeStatus>(socket, "status")).body,
    nodes: () => list<NodeView>("nodes"),
    acts: async () =>
      (await list<Decision>(`decisions?node=node-${"ab"[index]}`))
        .map(({ act, object }) => `${act} ${object}`)
        .toReversed(),
  };
}

function need<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-join-"));
  const authority = makeAuthority(directory, "authority");
  lab = await startHosts(2);
  const [h1, h2] = [need(lab.hosts[0]), need(lab.hosts[1])];
  await Promise.all([h1, h2].map((host) => importBusybox(host, IMAGE)));
  const member = issueCertificate(directory, "member", { authority, names: [`IP:${h1.ip}`] });
  const tls = { ca: authority.cert, ...member, clientCa: false };
  cluster = await startEtcd({ tls, hosts: [h1] });
  const first = createHost(h1, 0);
  [a, b] = [first, createHost(h2, 1)];
  const inside = [`--net=/run/netns/${h1.netns}`, process.execPath];
  nodeA = spawn("nsenter", [...inside, ...NODE_PROCESS_FLAGS, MAIN, "node"], {
    env: first.env,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(nodeA, "message");
});
after(async () => {
  b?.cli("node", "stop");
  if (nodeA !== undefined) {
    const ended = once(nodeA, "exit");
    nodeA.kill("SIGKILL");
    await ended;
  }
  ledger.clear();
  await cluster?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

test("the first host begins a fleet: its node takes part in the process that it is", async () => {
  const host = need(a);
  assert.match(host.cli("token", "create").stderr, /^error FL0731 /);
  assert.match(host.cli("leave").stderr, /^error FL0627 /);
  const before = host.settings();
  const store = cluster.endpoints.join(",");
  const trust = join(directory, "authority.crt");
  const began = host.cli("fleet", "create", "harbour", "--store", store, "--ca-file", trust);
  assert.equal(began.code, 0, began.stderr);
  assert.match(began.stderr, /began the fleet harbour at 198\.51\.100\.1;/);
  assert.equal((await host.status()).pid, nodeA.pid);
  const written = host.settings();
  for (const line of before.trimEnd().split("\n")) assert.ok(written.includes(line), written);
  assert.match(written, /\n  name: harbour # by fairlead join\n/);
  assert.match(host.cli("fleet", "create", "other").stderr, /^error FL0623 /);
});

test("another host joins with what was printed, and its node is started", async () => {
  const [first, second] = [need(a), need(b)];
  const made = first.cli("token", "create", "--ttl", "10m", "--reason", "a second host");
  const line = made.stdout.trim();
  assert.match(line, /^fairlead join flj1_[\w-]+$/);
  assert.match(made.stderr, /run this on one host within 10m to join harbour/);
  const text = line.split(" ")[2] ?? "";
  const mistyped = second.cli("join", text.replace("flj1_e", "flj1_f"));
  assert.match(
    mistyped.stderr,
    /^error FL0628 bad-token: it was mistyped, or a part of it is missing/,
  );
  assert.equal(mistyped.code, 2);

  const before = second.settings();
  const double = second.cli("join", text, "--name", "node-a");
  assert.match(double.stderr, /^error FL0711 /);
  // What the fleet is asked over connections would not come: a firewall lets only those from here pass.
  lab.block([[first.lab, second.lab]], { connectionsTo: 17_122 });
  const shut = second.cli("join", text);
  lab.block([]);
  assert.match(shut.stderr, /^error FL0737 .*no node of harbour connects to 198\.51\.100\.2:17122/);
  assert.equal(second.settings(), before, "nothing was written");
  assert.deepEqual(
    (await first.nodes()).map(({ name }) => name),
    ["node-a"],
  );
  const joined = second.cli("join", text);
  assert.equal(joined.code, 0, joined.stderr);
  const { pid } = await second.status();
  ledger.noteProcess(pid);
  assert.match(joined.stderr, /joined harbour at 198\.51\.100\.2: node-a answered/);
  assert.equal(readFileSync(second.trust, "utf8"), readFileSync(first.trust, "utf8"));
  assert.match(second.cli("join", text).stderr, /^error FL0623 /);
  await until("each sees the other", PATIENCE_MS, async () =>
    [...(await first.nodes()), ...(await second.nodes())].every(({ state }) => state === "alive"),
  );
  assert.match(
    first.cli("token", "ls").stdout,
    /\ntok_\w+ +used +0\/1 +- +node-b +unix socket on node-a\n/,
  );
});

test("what is said of a node is shown, on that node too", async () => {
  const [first, second] = [need(a), need(b)];
  assert.equal(first.cli("drain", "node-b", "--reason", "new disks").code, 0);
  assert.match(first.cli("nodes").stdout, /\nnode-b +alive +draining /);
  await until("it knows", PATIENCE_MS, async () =>
    (await second.nodes()).some(({ self, draining }) => self && draining),
  );
  await until("the way there is measured", PATIENCE_MS, async () =>
    (await first.nodes()).some(({ self, mtu, blackHole }) => !self && mtu === 1_500 && !blackHole),
  );
  assert.match(second.cli("cordon", "node-c").stderr, /^error FL0701 .*no node node-c/);
  assert.match(first.cli("nodes", "rm", "node-b").stderr, /^error FL0739 /);
});

test("a host that leaves is gone from the list, and its settings are as they were", async () => {
  const [first, second] = [need(a), need(b)];
  const { pid } = await second.status();
  const left = second.cli("leave");
  assert.equal(left.code, 0, left.stderr);
  assert.equal(second.settings().includes("harbour"), false);
  assert.match(second.settings(), /listen: off # no page here\n/);
  assert.equal(existsSync(second.trust), false);
  assert.equal((await second.status()).pid, pid);
  assert.deepEqual(
    (await second.nodes()).map(({ name, address }) => [name, address]),
    [["node-b", undefined]],
  );
  await until("it is off the list", PATIENCE_MS, async () => (await first.nodes()).length === 1);
  await until("it is noted", PATIENCE_MS, async () =>
    (await first.acts()).includes("node.leave node/node-b"),
  );
  const acts = await first.acts();
  const wanted = ["token.create", "node.join", "node.drain", "node.leave"];
  assert.deepEqual(
    acts.map((act) => act.split(" ")[0] ?? "").filter((act) => wanted.includes(act)),
    wanted,
  );
});

/** What of Fairlead's is in a host's network. */
function listMade({ lab: { netns } }: Host): readonly string[] {
  const links = runInNamespace(netns, "ip", ["-br", "link"]);
  const tables = runInNamespace(netns, "nft", ["list", "tables"]);
  return [...(links.match(/\bfl[vbw][0-9a-f]+/g) ?? []), ...(tables.match(/fairlead_\w+/g) ?? [])];
}

async function listOn(host: Host, node: string): Promise<readonly string[]> {
  // A node that is the last one of its fleet does not say that it has them.
  const { body } = await askSocket<ScopeView>(host.socket, "scopes/shop");
  const instances = body.services.flatMap((service) => service.instances);
  return instances.flatMap((one) =>
    (one.node ?? node) === node && one.state === "running" ? [one.name] : [],
  );
}

/** Containers that run on a host, by name. */
function listRunning({ lab: { endpoint } }: Host): readonly string[] {
  const { stdout } = spawnSync("docker", ["-H", endpoint, "ps", "--format", "{{.Names}}"], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line !== "");
}

test("a host that has addresses of a network of the fleet itself is not taken in", async () => {
  const [first, second] = [need(a), need(b)];
  const up = first.cli("up", "-f", first.file("compose.yaml", FILE));
  assert.equal(up.code, 0, up.stderr);
  const token = first.cli("token", "create").stdout.trim().split(" ")[2] ?? "";
  const inside = (...words: string[]) => runInNamespace(second.lab.netns, "ip", words);
  inside("link", "add", "lan1", "type", "veth", "peer", "name", "lan2");
  inside("address", "add", "10.128.3.7/24", "dev", "lan1");
  for (const end of ["lan1", "lan2"]) inside("link", "set", end, "up");
  const refused = second.cli("join", token);
  assert.match(
    refused.stderr,
    /^error FL0720 .*the network shop_default has addresses that this host has on lan1/,
  );
  assert.match(refused.stderr, /lan1 +10\.128\.3\.0\/24/);
  inside("link", "del", "lan1");
  const joined = second.cli("join", token);
  assert.equal(joined.code, 0, joined.stderr);
  ledger.noteProcess((await second.status()).pid);
});

test("of two hosts the one with the store takes over, and the other goes on with what it has", async () => {
  const [first, second] = [need(a), need(b)];
  const up = first.cli(
    "up",
    "-f",
    first.file("compose.yaml", FILE.replace("replicas: 2", "replicas: 3")),
  );
  assert.equal(up.code, 0, up.stderr);
  const [mine] = listRunning(second);
  assert.ok(mine !== undefined);
  first.lab.cutOff();
  await until(
    "it has all of them",
    PATIENCE_MS,
    async () => (await listOn(first, "node-a")).length === 3,
  );
  assert.equal((await first.nodes()).find(({ name }) => name === "node-b")?.state, "gone");
  const seen = (await second.nodes()).find(({ name }) => name === "node-a");
  assert.equal(seen?.state, "suspect");
  assert.match(seen.reason, /but this node hears nobody and no store/);
  spawnSync("docker", ["-H", second.lab.endpoint, "kill", mine]);
  await until("it is healed", PATIENCE_MS, () => listRunning(second).includes(mine));
  assert.match(second.cli("down", "--scope", "shop").stderr, /^error FL0714 /);
  first.lab.rejoin();
  await until("each sees the other", PATIENCE_MS, async () =>
    [...(await first.nodes()), ...(await second.nodes())].every(({ state }) => state === "alive"),
  );
  await until(
    "nothing runs twice",
    PATIENCE_MS,
    () => [first, second].flatMap(listRunning).length === 3,
  );
});

test("a host that is uninstalled leaves what it had to the other, and nothing of its own is left", async () => {
  const [first, second] = [need(a), need(b)];
  // What is wanted more goes where there is less.
  const up = first.cli(
    "up",
    "-f",
    first.file("compose.yaml", FILE.replace("replicas: 2", "replicas: 4")),
  );
  assert.equal(up.code, 0, up.stderr);
  await until(
    "it has one again",
    PATIENCE_MS,
    async () => (await listOn(first, "node-b")).length > 0,
  );
  assert.ok(listMade(second).some((name) => name.startsWith("flv")));
  assert.ok(listMade(second).includes("fairlead_overlay"));

  const before = second.settings();
  const rehearsed = second.cli("uninstall", "--dry-run");
  assert.match(rehearsed.stdout, /move to node-a: shop-web-\d/);
  assert.equal(second.settings(), before);
  const removed = second.cli("uninstall", "--yes", "--reason", "the host is given away");
  assert.equal(removed.code, 0, removed.stderr);
  assert.match(removed.stderr, /^left the fleet harbour$/m);
  assert.match(removed.stderr, /^proved: 0 scopes, 0 processes, 0 files left/m);
  assert.deepEqual(listMade(second), []);
  assert.equal(second.settings().includes("harbour"), false);
  assert.equal(
    (await listOn(first, "node-a")).length,
    4,
    `${removed.stderr}${first.cli("ps", "--scope", "shop").stdout}${first.cli("decisions", "-n", "12").stdout}`,
  );
  await until("it is off the list", PATIENCE_MS, async () => (await first.nodes()).length === 1);

  const last = first.cli("uninstall", "--yes");
  assert.match(last.stderr, /^error FL0631 .*node-a is the last node of harbour that lives/);
  assert.equal((await listOn(first, "node-a")).length, 4, "nothing has happened");
  const ended = first.cli("uninstall", "--yes", "--force");
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, /^removed scope shop$/m);
  assert.deepEqual(listMade(first), []);
});
