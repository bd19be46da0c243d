// SPDX-License-Identifier: Apache-2.0
// Two hosts with a network between them, on the kernel's own devices: what instances say to each other goes past the bridges, and
// nothing else does, least of all what the gate on the bridge would hold.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { GateOrder, Guard, Guest } from "#guard/guard.ts";
import { openGuard } from "#guard/open.ts";
import { createNamespace } from "#lab/engine.ts";
import { udp4, vlan, ethernet } from "#lab/frames.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { startPackets, type Packets, type Probe } from "#lab/packets.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { createNetfilter, type Netfilter } from "#netfilter/netfilter.ts";
import { openOverlay } from "#network/open.ts";
import type { Overlay } from "#network/overlay.ts";
import { nameBridge, nameDevice } from "#network/plan-overlay.ts";

const VNI = 0x10_0000;
const BRIDGE = nameBridge(VNI);
const DEVICE = nameDevice(VNI);
const MTU = 1_450;
const PORT = 7_000;

/** `a` lives on host 1, the others on host 2; `d` is another that has what `c` had. */
const ENDS = {
  a: { host: 1, n: 1 },
  b: { host: 2, n: 2 },
  c: { host: 2, n: 3 },
  d: { host: 2, n: 3 },
} as const;
type End = keyof typeof ENDS;

const macOf = (end: End): string => `02:42:0a:4d:00:0${ENDS[end].n}`;
const v4 = (end: End): string => `10.77.0.${ENDS[end].n}`;
const v6 = (end: End): string => `fd77::${ENDS[end].n}`;

let ledger: Ledger;
let packets: Packets;
const sleepers = new Map<End, ChildProcess>();
const guards = new Map<number, Guard>();
const overlays = new Map<number, Overlay>();

const nameHost = (n: number): string => `${ledger.tag}-s${n}`;
const nameEnd = (end: End): string => `${ledger.tag}-s${end}`;
const onHost = (n: number, program: string, ...args: string[]): string =>
  runInNamespace(nameHost(n), program, args);

/** Makes an instance as an engine does: a namespace, and a pair of devices of which one is a port of the bridge. */
async function startEnd(end: End): Promise<void> {
  const name = nameEnd(end);
  const { host } = ENDS[end];
  createNamespace(ledger, name);
  const peer = ["peer", "name", "eth0", "netns", name];
  onHost(host, "ip", "link", "add", `v-${end}`, "mtu", String(MTU), "type", "veth", ...peer);
  onHost(host, "ip", "link", "set", `v-${end}`, "master", BRIDGE, "up");
  const inside = (...args: string[]): string => runInNamespace(name, "ip", args);
  inside("link", "set", "eth0", "address", macOf(end), "mtu", String(MTU), "up");
  inside("address", "add", `${v4(end)}/24`, "dev", "eth0");
  inside("address", "add", `${v6(end)}/64`, "dev", "eth0", "nodad");
  sleepers.set(end, spawn("nsenter", [`--net=/run/netns/${name}`, "sleep", "1000"]));
  await packets.open(end, `/run/netns/${name}`);
  await packets.serve(end, [
    ["TCP", PORT],
    ["UDP", PORT],
  ]);
}

function stopEnd(end: End): void {
  sleepers.get(end)?.kill("SIGKILL");
  onHost(ENDS[end].host, "ip", "link", "del", `v-${end}`);
}

/** As control would say it; the guard looks whether a process is of its container by the name of its group. */
function asGuest(end: End): Guest {
  const pid = sleepers.get(end)?.pid ?? 0;
  const [id = ""] = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n").slice(-2);
  return { id, pid, ports: [{ bridge: BRIDGE, mac: macOf(end), addresses: [v4(end), v6(end)] }] };
}

function orderOf(host: 1 | 2, ends: readonly End[], more: Partial<GateOrder> = {}): GateOrder {
  const far = (Object.keys(ENDS) as End[]).filter((end) => ENDS[end].host !== host);
  const shortcut = { bridge: BRIDGE, device: DEVICE, turn: 1, macs: far.map(macOf) };
  const ready = ends.map(asGuest);
  // Host 1 has no policy that guards its bridge.
  return { bridges: host === 1 ? [] : [BRIDGE], ready, shortcuts: [shortcut], look: true, ...more };
}

async function hold(host: 1 | 2, ends: readonly End[], more: Partial<GateOrder> = {}) {
  const guard = guards.get(host);
  assert.ok(guard !== undefined);
  return guard.gate(orderOf(host, ends, more));
}

const readCount = (host: number, family: string, table: string, counter: string): number =>
  Number(/packets (\d+)/.exec(onHost(host, "nft", "list", "counter", family, table, counter))?.[1]);
const countPast = (host: number): number => readCount(host, "netdev", "fairlead", "out");
const countSpoofed = (host: number): number => readCount(host, "bridge", "fairlead", "spoofed");

/** TCP and UDP packets that the bridges of both hosts have forwarded. */
const countBridged = (): number =>
  [1, 2].reduce((sum, host) => sum + readCount(host, "bridge", "watch", "bridged"), 0);

const probe = (from: End, to: End, expect = true): readonly Probe[] =>
  [v4(to), v6(to)].flatMap((address) =>
    (["TCP", "UDP"] as const).map((protocol) => ({ from, address, protocol, port: PORT, expect })),
  );

async function mustReach(from: End, to: End): Promise<void> {
  assert.deepEqual(await packets.ask(probe(from, to)), [true, true, true, true], `${from} ${to}`);
}

async function mustNotReach(from: End, to: End): Promise<void> {
  const answers = await packets.ask(probe(from, to, false));
  assert.deepEqual(answers, [false, false, false, false], `${from} ${to}`);
}

async function joinHost(host: 1 | 2): Promise<void> {
  const overlay = overlays.get(host);
  const network = { name: "shop", vni: VNI, port: 4_789, mtu: MTU };
  const endpoints = (["a", "b", "c"] as const).map((end) => ({
    host: `198.51.100.${ENDS[end].host}`,
    mac: macOf(end),
    addresses: [v4(end), v6(end)],
  }));
  const own = { host: `198.51.100.${host}`, bridge: BRIDGE, tunnel: undefined };
  await overlay?.apply([{ network, ...own, endpoints }]);
}

before(async () => {
  ledger = openLedger();
  packets = startPackets();
  createNamespace(ledger, nameHost(0));
  onHost(0, "ip", "link", "add", "br0", "type", "bridge");
  onHost(0, "ip", "link", "set", "br0", "up");
  for (const host of [1, 2] as const) {
    createNamespace(ledger, nameHost(host));
    const peer = ["peer", "name", "eth0", "netns", nameHost(host)];
    runProgram("ip", ["-n", nameHost(0), "link", "add", `p${host}`, "type", "veth", ...peer]);
    onHost(0, "ip", "link", "set", `p${host}`, "master", "br0", "up");
    onHost(host, "ip", "address", "add", `198.51.100.${host}/24`, "dev", "eth0");
    onHost(host, "ip", "link", "set", "eth0", "up");
    onHost(host, "ip", "link", "add", BRIDGE, "type", "bridge");
    onHost(host, "ip", "address", "add", `10.77.0.${host + 100}/24`, "dev", BRIDGE);
    onHost(host, "ip", "link", "set", BRIDGE, "up");
    const forward = "{ type filter hook forward priority 10; }";
    const watch = `add table bridge watch; add counter bridge watch bridged; add chain bridge watch f ${forward}; add rule bridge watch f meta l4proto { tcp, udp } counter name bridged`;
    onHost(host, "nft", watch);
    const netns = `/run/netns/${nameHost(host)}`;
    overlays.set(host, openOverlay({ kind: "vxlan", netns }));
    guards.set(host, openGuard({ kind: "nftables", netfilter: createNetfilter(), netns }));
    await joinHost(host);
  }
  for (const end of ["a", "b", "c"] as const) await startEnd(end);
});

after(async () => {
  for (const sleeper of sleepers.values()) sleeper.kill("SIGKILL");
  for (const overlay of overlays.values()) await overlay[Symbol.asyncDispose]();
  await packets[Symbol.asyncDispose]();
  ledger.clear();
});

test("without a shortcut packets go over the bridges, with one past them, both ways", async () => {
  await hold(2, ["b"], { shortcuts: [] });
  await mustReach("a", "b");
  assert.ok(countBridged() > 0);

  const [one, two] = [await hold(1, ["a"]), await hold(2, ["b"])];
  assert.deepEqual([one.withheld, two.withheld], [undefined, undefined]);
  assert.equal(one.past.get(BRIDGE), 1);
  const before = countBridged();
  await mustReach("a", "b");
  await mustReach("b", "a");
  assert.equal(countBridged(), before);
  assert.ok(countPast(1) > 0);
  assert.ok(countPast(2) > 0);
});

test("under another's address or MAC, or with a tag, nothing goes past", async () => {
  const payload = Buffer.from("who am I really");
  const link = { from: macOf("b"), to: macOf("a") };
  // Nobody listens there, so that nothing comes back of it.
  const datagram = { from: v4("b"), to: v4("a"), port: PORT + 1, payload };
  const seen = await packets.watch("a", "eth0", payload);
  const [past, spoofed] = [countPast(2), countSpoofed(2)];
  const tagged = ethernet(link, 0x8100, vlan(udp4(link, { ...datagram, from: v4("c") })));
  await packets.send("b", "eth0", [
    udp4(link, { ...datagram, from: v4("c") }),
    udp4(link, { ...datagram, from: "10.77.0.102" }),
    udp4({ ...link, from: macOf("c") }, datagram),
    udp4({ from: macOf("c"), to: macOf("a") }, { ...datagram, from: v4("c") }),
    tagged,
  ]);
  // One as itself comes after them: then all before it were judged.
  await packets.send("b", "eth0", [udp4(link, datagram)]);
  await mustReach("b", "a");
  assert.equal(await seen(), 1);
  assert.equal(countSpoofed(2), spoofed + 5);
  assert.ok(countPast(2) > past);
});

test("who is not ready is not reached and reaches nobody, from the moment that is said", async () => {
  await mustNotReach("a", "c");
  await mustNotReach("c", "a");
  const ready = await hold(2, ["b", "c"]);
  assert.equal(ready.past.get(BRIDGE), 2);
  await mustReach("a", "c");
  await mustReach("c", "a");
  await hold(2, ["b"], { look: false });
  await mustNotReach("a", "c");
  await mustNotReach("c", "a");
  await mustReach("a", "b");
});

test("who is judged on the bridge for what he may call stays there, with a packet socket too", async () => {
  await hold(2, ["b", "c"]);
  const calls = { egress: { classes: [], hosts: new Map(), blocks: [] } };
  const ready = [asGuest("b"), { ...asGuest("c"), calls }];
  assert.equal((await hold(2, [], { ready })).past.get(BRIDGE), 1);
  const before = countBridged();
  await mustReach("a", "c");
  assert.ok(countBridged() > before);
  const payload = Buffer.from("past all rules inside");
  const seen = await packets.watch("a", "eth0", payload);
  const datagram = { from: v4("c"), to: v4("a"), port: PORT + 1, payload };
  await packets.send("c", "eth0", [udp4({ from: macOf("c"), to: macOf("a") }, datagram)]);
  await mustNotReach("c", "a");
  assert.equal(await seen(), 0);
});

test("another with the MAC and the addresses of one that is gone is nobody before he is ready", async () => {
  await hold(2, ["b", "c"]);
  await mustReach("a", "c");
  stopEnd("c");
  await startEnd("d");
  await mustNotReach("a", "d");
  await hold(2, ["b", "d"]);
  const before = countBridged();
  await mustReach("a", "d");
  assert.equal(countBridged(), before);
});

test("without a node packets go over the bridge in the end", async () => {
  // What the kernel does after a minute in which nobody has said again who is ready.
  for (const host of [1, 2])
    for (const what of ["set netdev fairlead own4", "map netdev fairlead ports4"])
      onHost(host, "nft", `flush ${what}-${DEVICE}`);
  const before = countBridged();
  await mustReach("a", "b");
  assert.ok(countBridged() > before);
  const { protection } = await hold(2, ["b", "d"]);
  assert.equal(protection, "unchanged", "that of the gate");
});

test("what somebody has changed is put back, also for a device that was made anew", async () => {
  await hold(1, ["a"]);
  await hold(2, ["b"]);
  onHost(2, "nft", `flush chain netdev fairlead in-${DEVICE}`);
  await hold(2, ["b"]);
  onHost(1, "ip", "link", "del", DEVICE);
  await joinHost(1);
  await hold(1, ["a"]);
  const before = countBridged();
  await mustReach("a", "b");
  assert.equal(countBridged(), before);
});

test("where the kernel cannot do it the gate is held all the same, and that is said", async () => {
  const netns = `/run/netns/${nameHost(2)}`;
  const real = createNetfilter();
  // A word that no kernel knows, where it would stand.
  const poor: Netfilter = {
    ...real,
    apply: (commands, options) =>
      real.apply(
        commands.map((line) => line.replace("fwd to", "forward to")),
        options,
      ),
  };
  const guard = openGuard({ kind: "nftables", netfilter: poor, netns });
  const { withheld, past } = await guard.gate(orderOf(2, ["b"]));
  assert.match(withheld ?? "", /forward to/);
  assert.equal(past.size, 0);
  assert.ok(!onHost(2, "nft", "list tables").includes("netdev fairlead"));
  await mustReach("a", "b");
  await mustNotReach("a", "d");
});

test("nothing is left when none is wanted", async () => {
  await hold(1, ["a"]);
  for (const host of [1, 2] as const) await hold(host, [], { bridges: [], shortcuts: [] });
  for (const host of [1, 2]) assert.ok(!onHost(host, "nft", "list tables").includes("fairlead"));
});
