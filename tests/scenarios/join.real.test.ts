// SPDX-License-Identifier: Apache-2.0
// Two hosts become a fleet by the commands a person types, and one leaves it again: settings files keep what is in them, and
// nodes take part without anything else done by hand. They have no engines, which a roll does not need.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { openLedger } from "#lab/ledger.ts";
import { askSocket, until } from "#lab/rig.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");
const PATIENCE_MS = 30_000;
const NETWORK = `127.${64 + randomInt(128)}.${randomInt(256)}`;

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Host {
  /** Text of its settings file. */
  settings(): string;
  /** Where it keeps who vouches for the store. */
  readonly trust: string;
  cli(...args: readonly string[]): Said;
  status(): Promise<NodeStatus>;
  nodes(): Promise<readonly NodeView[]>;
  acts(): Promise<readonly string[]>;
}

let cluster: EtcdCluster;
let directory: string;
let nodeA: ChildProcess;
let [a, b]: Host[] = [];
/** Nodes that commands started in the background. */
const ledger = openLedger();

function createHost(index: number): Host & { readonly env: NodeJS.ProcessEnv } {
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
    `  endpoint: unix://${place}/no-engine.sock`,
    "fleet:",
    `  listen: ${NETWORK}.${index + 1}:17122 # the port that the firewall lets pass`,
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
    trust: join(place, "state/fleet-ca.pem"),
    settings: () => readFileSync(file, "utf8"),
    cli(...args) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
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
  const names = ["IP:127.0.0.1"];
  const member = issueCertificate(directory, "member", { authority, names });
  cluster = await startEtcd({ tls: { ca: authority.cert, ...member, clientCa: false } });
  const first = createHost(0);
  [a, b] = [first, createHost(1)];
  nodeA = spawn(process.execPath, [...NODE_PROCESS_FLAGS, MAIN, "node"], {
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
  assert.match(began.stderr, new RegExp(`began the fleet harbour at ${NETWORK}\\.1;`));
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
  assert.equal(second.settings(), before, "nothing was written");
  const joined = second.cli("join", text);
  assert.equal(joined.code, 0, joined.stderr);
  const { pid } = await second.status();
  ledger.noteProcess(pid);
  assert.match(joined.stderr, new RegExp(`joined harbour at ${NETWORK}\\.2: node-a answered`));
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
