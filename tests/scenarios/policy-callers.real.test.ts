// SPDX-License-Identifier: Apache-2.0
// Egress policy against a program that goes around the rules of its own network: by packet sockets, which every container may open,
// and by taking those rules away, with NET_ADMIN. Real frames between real containers of one host.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  ethernet,
  fragment,
  gre4,
  icmp4,
  icmp6,
  routed4,
  sctp4,
  tcp4,
  type Link,
  udp4,
  udp6,
  vlan,
} from "#lab/frames.ts";
import { linkLackingPath } from "#lab/lacking-path.ts";
import { startPackets, type Probe } from "#lab/packets.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { parsePolicies } from "#policy/parse-policies.ts";

const NETWORK = "callers";
const PATIENCE_MS = 20_000;
const SYN = 0x02;
const ACK = 0x10;
const RST_ACK = 0x14;

/** A container as frames know it. */
interface End {
  readonly name: string;
  readonly pid: string;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
}

const packets = startPackets();
let rig: Rig;
let agent: End;
let friend: End;
let stranger: End;

function docker(...args: string[]): string {
  return runProgram("docker", ["-H", rig.lab.endpoint, ...args]);
}

async function make(name: string, ...words: readonly string[]): Promise<End> {
  const marks = ["project=crew", `service=${name}`].flatMap((one) => [
    "--label",
    `com.docker.compose.${one}`,
  ]);
  docker(
    "run",
    "-d",
    "--init",
    "--name",
    name,
    "--network",
    NETWORK,
    ...marks,
    ...words,
    IMAGE,
    "sleep",
    "1000",
  );
  const format =
    "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.MacAddress}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}";
  const [pid = "", mac = "", v4 = "", v6 = ""] = docker("inspect", "-f", format, name)
    .trim()
    .split(" ");
  await packets.open(name, `/proc/${pid}/ns/net`);
  await packets.serve(name, [
    ["TCP", 80],
    ["TCP", 8080],
    ["UDP", 53],
  ]);
  return { name, pid, mac, v4, v6 };
}

/** Has a policy for what `agent` may call. */
async function declare(egress: object): Promise<void> {
  const text = JSON.stringify({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "agent", namespace: "crew" },
    spec: {
      podSelector: { matchLabels: { service: "agent" } },
      policyTypes: ["Egress"],
      ...egress,
    },
  });
  const { policies } = parsePolicies(text, { file: "agent.yaml", scope: "crew" });
  const { status, body } = await rig.ask("policies", {
    method: "PUT",
    body: { policies, scopes: {}, modes: {} },
  });
  assert.equal(status, 200, JSON.stringify(body));
}

const ONLY_FRIEND = {
  egress: [
    {
      to: [{ podSelector: { matchLabels: { service: "friend" } } }],
      ports: [{ port: 80 }, { port: 53, protocol: "UDP" }],
    },
  ],
};

before(async () => {
  rig = await openRig({ inside: true });
  await rig.startNode();
  docker(
    "network",
    "create",
    "--subnet",
    "10.94.0.0/24",
    "--ipv6",
    "--subnet",
    "fd00:94::/64",
    NETWORK,
  );
  agent = await make("agent", "-p", "8083:80");
  await packets.open("host", `/run/netns/${rig.lab.netns}`);
  friend = await make("friend");
  stranger = await make("stranger");
});
after(async () => {
  await packets[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

const countDenied = (): number => {
  const text = runInNamespace(rig.lab.netns, "nft", [
    "list",
    "counter",
    "bridge",
    "fairlead_calls",
    "denied",
  ]);
  return Number(/packets (\d+)/.exec(text)?.[1]);
};

const calls = (from: End, to: End, expect: boolean): readonly Probe[] =>
  [to.v4, to.v6].flatMap((address) => [
    { from: from.name, address, protocol: "TCP", port: 80, expect },
    { from: from.name, address, protocol: "UDP", port: 53, expect },
  ]);

async function check(...probes: readonly (readonly Probe[])[]): Promise<void> {
  const all = probes.flat();
  assert.deepEqual(
    await packets.ask(all),
    all.map(({ expect }) => expect),
  );
}

test("a connection that stands when the policy comes goes on, though the one that called is silent", async () => {
  const enter = (at: End, ...command: string[]) =>
    spawn("nsenter", [`--net=/proc/${at.pid}/ns/net`, "busybox", ...command], {
      stdio: ["pipe", "pipe", "ignore"],
    });
  const server = enter(agent, "nc", "-l", "-p", "7000");
  try {
    await until("it listens", PATIENCE_MS, () =>
      runProgram("nsenter", [
        `--net=/proc/${agent.pid}/ns/net`,
        "ss",
        "-Hltn",
        "sport = 7000",
      ]).includes("7000"),
    );
    const client = enter(stranger, "nc", agent.v4, "7000");
    try {
      client.stdin.write("hello\n");
      assert.equal(String((await once(server.stdout, "data"))[0]), "hello\n");
      await declare(ONLY_FRIEND);
      server.stdin.write("still there\n");
      assert.equal(String((await once(client.stdout, "data"))[0]), "still there\n");
    } finally {
      client.kill("SIGKILL");
    }
  } finally {
    server.kill("SIGKILL");
  }
});

test("packets of ordinary sockets pass as the policy says, answers to all", async () => {
  await declare(ONLY_FRIEND);
  await check(
    calls(agent, friend, true),
    calls(agent, stranger, false),
    calls(stranger, agent, true),
    calls(friend, agent, true),
    calls({ ...stranger, name: "host" }, agent, true),
    [{ from: "host", address: "127.0.0.1", protocol: "TCP", port: 8083, expect: true }],
  );
  const big = (from: End, address: string) =>
    runProgram("nsenter", [
      `--net=/proc/${from.pid}/ns/net`,
      "busybox",
      "ping",
      "-q",
      "-c",
      "2",
      "-s",
      "4000",
      address,
    ]);
  assert.match(big(stranger, agent.v4), /2 packets received/, "answers in parts");
  assert.match(big(stranger, agent.v6), /2 packets received/, "answers in parts");
});

/** What somebody who may call `friend` sends to another by a packet socket. */
function listFrames(
  link: Link,
  to: End,
  needle: Buffer,
): Readonly<Record<string, readonly Buffer[]>> {
  const v4 = { from: agent.v4, to: to.v4, port: 53, payload: needle };
  const v6 = { from: agent.v6, to: to.v6, port: 53, payload: needle };
  const long = { ...v4, payload: Buffer.concat([Buffer.alloc(64), needle]) };
  return {
    "UDP over IPv4": [udp4(link, v4)],
    "UDP over IPv6": [udp6(link, v6)],
    "a port that may be called, at another": [udp4(link, { ...v4, port: 80 })],
    "the first of a connection": [tcp4(link, { ...v4, port: 80 }, SYN)],
    "the middle of no connection": [tcp4(link, { ...v4, port: 80 }, ACK)],
    "the end of no connection": [tcp4(link, { ...v4, port: 80 }, RST_ACK)],
    "a ping": [icmp4(link, { from: agent.v4, to: to.v4, type: 8 }, needle)],
    "an answer to no ping": [icmp4(link, { from: agent.v4, to: to.v4, type: 0 }, needle)],
    "an ICMP error about nothing": [icmp4(link, { from: agent.v4, to: to.v4, type: 3 }, needle)],
    "a ping over IPv6": [icmp6(link, { from: agent.v6, to: to.v6, type: 128 }, needle)],
    "an answer to no ping over IPv6": [
      icmp6(link, { from: agent.v6, to: to.v6, type: 129 }, needle),
    ],
    "in two parts": fragment(udp4(link, long)),
    "the second part alone": fragment(udp4(link, long)).slice(1),
    "with an IP option before its ports": [routed4(link, v4)],
    "in a tunnel of GRE": [gre4(link, v4, udp4(link, v4))],
    "in a VLAN": [ethernet(link, 0x8100, vlan(udp4(link, v4)))],
  };
}

test("a packet socket reaches nobody who may not be called: 0 frames arrive", async () => {
  // Nobody has talked to it for so long that nothing can be an answer.
  const outcast = await make("outcast");
  await declare(ONLY_FRIEND);
  const needle = Buffer.from(randomBytes(12));
  const atOutcast = await packets.watch(outcast.name, "eth0", needle);
  const atFriend = await packets.watch(friend.name, "eth0", needle);
  const send = (frames: readonly Buffer[]) => packets.send(agent.name, "eth0", frames);
  const before = countDenied();
  const frames = listFrames({ from: agent.mac, to: outcast.mac }, outcast, needle);
  for (const one of Object.values(frames)) await send(one);
  // By way of the host, which would pass it on.
  const gateway = runInNamespace(rig.lab.netns, "sh", [
    "-c",
    "ip -o link show type bridge | grep -v docker0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'",
  ]).trim();
  await send([
    udp4(
      { from: agent.mac, to: gateway },
      { from: agent.v4, to: outcast.v4, port: 53, payload: needle },
    ),
  ]);
  // What is sent last to a friend arrives; so would have what was before it.
  await send([
    udp4(
      { from: agent.mac, to: friend.mac },
      { from: agent.v4, to: friend.v4, port: 53, payload: needle },
    ),
  ]);
  await until("what may be sent arrives", PATIENCE_MS, async () => (await atFriend()) >= 1);
  if ((await atOutcast()) > 0) {
    const through: string[] = [];
    for (const [name, one] of Object.entries(frames)) {
      const count = await atOutcast();
      await send(one);
      if ((await atOutcast()) > count) through.push(name);
    }
    assert.deepEqual(through, []);
  }
  assert.equal(await atOutcast(), 0);
  assert.ok(countDenied() - before >= Object.keys(frames).length, "each is counted");
});

test("SCTP is judged by its ports, on a kernel without it too", async () => {
  const rule = { to: ONLY_FRIEND.egress[0]?.to, ports: [{ port: 5000, protocol: "SCTP" }] };
  await declare({ egress: [rule] });
  const needle = Buffer.from(randomBytes(12));
  const arrived = await packets.watch(friend.name, "eth0", needle);
  const link = { from: agent.mac, to: friend.mac };
  const way = { from: agent.v4, to: friend.v4, payload: needle };
  const denied = countDenied();
  await packets.send(agent.name, "eth0", [sctp4(link, { ...way, port: 5001 })]);
  await packets.send(agent.name, "eth0", [sctp4(link, { ...way, port: 5000 })]);
  await until("what may be sent arrives", PATIENCE_MS, async () => (await arrived()) === 1);
  assert.equal(countDenied() - denied, 1, "and the other does not");
});

test("who takes his own rules away can call nobody else by it", async () => {
  await declare(ONLY_FRIEND);
  runProgram("nsenter", [`--net=/proc/${agent.pid}/ns/net`, "nft", "flush", "ruleset"]);
  const before = countDenied();
  await check(calls(agent, stranger, false), calls(agent, friend, true));
  assert.ok(countDenied() > before, "it was not the rules inside");
});

test("what a change forbids ends for packet sockets too, and what it allows begins", async () => {
  const needle = Buffer.from(randomBytes(12));
  const arrived = await packets.watch(friend.name, "eth0", needle);
  const link = { from: agent.mac, to: friend.mac };
  const frame = udp4(link, { from: agent.v4, to: friend.v4, port: 53, payload: needle });
  await declare({ egress: [] });
  await packets.send(agent.name, "eth0", [frame]);
  await check(calls(agent, friend, false));
  assert.equal(await arrived(), 0);
  await declare(ONLY_FRIEND);
  await packets.send(agent.name, "eth0", [frame]);
  // Who did not wait for the answer says so, and quotes it: that may arrive too.
  await until("it arrives", PATIENCE_MS, async () => (await arrived()) >= 1);
  await rig.cli(["policy", "rm", "crew/agent"]);
  await check(calls(agent, stranger, true));
  const tables = runInNamespace(rig.lab.netns, "nft", ["list", "tables"]);
  assert.doesNotMatch(tables, /fairlead_calls/);
});

test("where nft is missing and ebtables too, networks with policies carry nothing, and it is said; with it they do again", async () => {
  const before = rig.env["PATH"] ?? "";
  const lacking = linkLackingPath(join(rig.directory, "without-nft"), (name) =>
    /^(nft$|ebtables)/.test(name),
  );
  const way = calls(friend, stranger, true);
  await rig.endNode("SIGKILL");
  // A host on which nothing of ours stands.
  runInNamespace(rig.lab.netns, "sh", [
    "-c",
    "for t in fairlead fairlead_calls; do nft delete table bridge $t; done; true",
  ]);
  rig.env["PATH"] = lacking;
  try {
    await rig.startNode();
    await check(way);
    await declare(ONLY_FRIEND);
    const { stdout, stderr } = await rig.cli(["policy", "ls"]);
    assert.match(`${stdout}${stderr}`, /networks with policies carry nothing/);
    await check(calls(friend, stranger, false), calls(stranger, agent, false));
    const said = await rig.cli(["doctor", "-o", "json"]);
    assert.match(said.stdout, /FL0875/);
    await rig.endNode("SIGKILL");
  } finally {
    rig.env["PATH"] = before;
  }
  await rig.startNode();
  await until("it carries again", PATIENCE_MS, async () => (await packets.ask(way)).every(Boolean));
  await check(calls(agent, stranger, false), calls(agent, friend, true));
});
