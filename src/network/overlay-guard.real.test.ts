// SPDX-License-Identifier: Apache-2.0
// Two hosts with a network, and an outsider in the same Ethernet who forges packets of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "#lab/engine.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { openOverlay } from "#network/open.ts";
import { createOverlayGuard, GUARD_TABLE, renderGuard } from "./overlay-guard.ts";
import type { OverlayGuard } from "./overlay-guard.ts";

const PLAIN = 0x10_0000;
const SECRET = 0x10_0001;
const PORT = 4_789;
/** To which the packets inside go. */
const INNER_PORT = 9_999;
const MACS = { 1: "02:42:0a:4d:00:01", 2: "02:42:0a:4d:00:02" } as const;
const HOSTS = ["198.51.100.1", "198.51.100.2"];

let ledger: Ledger;
let guard: OverlayGuard;
const SPEC = {
  networks: [PLAIN, SECRET].map((vni) => ({ vni, port: PORT })),
  encrypted: [SECRET],
  tunnel: "flw0",
  hosts: HOSTS,
};

/** Host 1 and 2 are of the fleet, 3 is not. */
const nameOf = (n: number): string => `${ledger.tag}-g${n}`;
const run = (n: number, program: string, ...args: string[]): string =>
  runInNamespace(nameOf(n), program, args);

const toBytes = (address: string): number[] => address.split(".").map(Number);

/** An Ethernet frame with a datagram for host 1, as host 2's instance would send it. */
function makeFrame(): Buffer {
  const macs = [MACS[1], MACS[2]].flatMap((mac) =>
    mac.split(":").map((byte) => parseInt(byte, 16)),
  );
  const udp = [0x30, 0x39, INNER_PORT >> 8, INNER_PORT & 255, 0, 9, 0, 0, 0x58];
  const ip = [0x45, 0, 0, 20 + udp.length, 0, 1, 0, 0, 64, 17, 0, 0];
  const header = Buffer.from([...ip, ...toBytes("10.77.0.2"), ...toBytes("10.77.0.1")]);
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return Buffer.concat([Buffer.from([...macs, 8, 0]), header, Buffer.from(udp)]);
}

/** The frame in VXLAN (RFC 7348); `flags` 8 says that there is an identifier. */
function wrap(vni: number, inner = makeFrame(), flags = 8, reserved = 0): Buffer {
  const header = Buffer.alloc(8, reserved);
  header.writeUInt8(flags, 0);
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, inner]);
}

const SEND = `
const socket = require("node:dgram").createSocket("udp4");
const packets = process.argv[2].split(",").map((hex) => Buffer.from(hex, "hex"));
let left = packets.length;
for (const packet of packets)
  socket.send(packet, ${PORT}, process.argv[1], () => --left === 0 && socket.close());
`;

/** Sends them one after the other from a socket of host `n`, whether or not the kernel lets it. */
function send(n: number, to: string, ...packets: readonly Buffer[]): void {
  const hex = packets.map((packet) => packet.toString("hex")).join();
  run(n, process.execPath, "-e", SEND, to, hex);
}

/** How many packets came to where they want to go inside. */
const countDelivered = (n = 1): number =>
  Number(/packets (\d+)/.exec(run(n, "nft", "list", "chain", "inet", "watch", "in"))?.[1]);

const countDropped = (n: number): readonly number[] =>
  [...run(n, "nft", "list", "table", "inet", GUARD_TABLE).matchAll(/packets (\d+)/g)].map(
    ([, count]) => Number(count),
  );

before(async () => {
  ledger = openLedger();
  createNamespace(ledger, nameOf(0));
  run(0, "ip", "link", "add", "br0", "type", "bridge");
  run(0, "ip", "link", "set", "br0", "up");
  for (const n of [1, 2, 3]) {
    createNamespace(ledger, nameOf(n));
    const peer = ["peer", "name", "eth0", "netns", nameOf(n)];
    runProgram("ip", ["-n", nameOf(0), "link", "add", `p${n}`, "type", "veth", ...peer]);
    run(0, "ip", "link", "set", `p${n}`, "master", "br0", "up");
    run(n, "ip", "address", "add", `198.51.100.${n}/24`, "dev", "eth0");
    run(n, "ip", "link", "set", "eth0", "up");
    run(n, "nft", "add table inet watch");
    run(n, "nft", "add chain inet watch in { type filter hook input priority 0; }");
    run(n, "nft", `add rule inet watch in udp dport ${INNER_PORT} counter`);
  }
  for (const [n, mac] of Object.entries(MACS))
    for (const bridge of ["br-a", "br-b"]) {
      run(Number(n), "ip", "link", "add", bridge, "address", mac, "type", "bridge");
      run(Number(n), "ip", "link", "set", bridge, "up");
    }
  run(1, "ip", "address", "add", "10.77.0.1/16", "dev", "br-a");
  run(1, "ip", "address", "add", "10.77.0.1/32", "dev", "br-b");
  await using overlay = openOverlay({ kind: "vxlan", netns: `/run/netns/${nameOf(1)}` });
  const attach = (name: string, vni: number, bridge: string) => {
    const network = { name, vni, port: PORT, mtu: 1_450 };
    const endpoint = { host: HOSTS[1] ?? "", mac: MACS[2], addresses: ["10.77.0.2"] };
    const own = { host: HOSTS[0] ?? "", tunnel: undefined };
    return { ...own, network, bridge, endpoints: [endpoint] };
  };
  await overlay.apply([attach("plain", PLAIN, "br-a"), attach("secret", SECRET, "br-b")]);
  guard = createOverlayGuard(createNetfilter(), `/run/netns/${nameOf(1)}`);
});

after(() => ledger.clear());

test("without rules anybody is believed: what is forged here would arrive", () => {
  send(3, "198.51.100.1", wrap(PLAIN));
  assert.equal(countDelivered(), 1);
});

test("of an outsider nothing is taken, whatever he forges", async () => {
  assert.equal(await guard.apply(SPEC), "made");
  const before = countDelivered();
  const looped = wrap(PLAIN, wrap(PLAIN));
  const variants = [
    wrap(PLAIN),
    wrap(SECRET),
    wrap(PLAIN + 7),
    wrap(PLAIN, makeFrame(), 0),
    wrap(PLAIN, makeFrame(), 0xff),
    wrap(PLAIN, makeFrame(), 8, 0xff),
    wrap(SECRET, makeFrame(), 8, 0xff),
    looped,
    wrap(PLAIN, Buffer.alloc(0)),
  ];
  const rounds = Array.from({ length: 20 }, () => variants);
  send(3, "198.51.100.1", ...rounds.flat());
  // One of the fleet's comes after them: then all before it were judged.
  send(2, "198.51.100.1", wrap(PLAIN));
  assert.equal(countDelivered(), before + 1);
  assert.ok((countDropped(1)[0] ?? 0) >= 20 * 7, run(1, "nft", "list ruleset"));
});

test("of an encrypted network nothing is taken that is not encrypted, of a host of the fleet either", () => {
  const before = countDelivered();
  send(2, "198.51.100.1", wrap(SECRET), wrap(PLAIN));
  assert.equal(countDelivered(), before + 1);
  assert.equal(countDropped(1)[2], 1);
});

test("of an encrypted network nothing goes out that is not", async () => {
  const [before = 0] = countDropped(1).slice(-1);
  send(1, "198.51.100.2", wrap(SECRET));
  assert.equal(countDropped(1).at(-1), before + 1);
  assert.equal(await guard.apply(SPEC), "same");
});

test("rules that somebody flushed or changed are put back, and go with the last network", async () => {
  run(1, "nft", "flush ruleset");
  assert.equal(await guard.apply(SPEC), "repaired");
  run(1, "nft", `add element inet ${GUARD_TABLE} hosts4 { 198.51.100.3 }`);
  assert.equal(await guard.apply(SPEC), "repaired");
  assert.equal(await guard.apply({ ...SPEC, hosts: [...HOSTS, "198.51.100.4"] }), "made");
  assert.equal(await guard.apply({ ...SPEC, networks: [] }), "removed");
  assert.ok(!run(1, "nft", "list tables").includes(GUARD_TABLE));
});

test("what others have written becomes no rule", () => {
  const hostile = { ...SPEC, hosts: ["198.51.100.1 } accept", "not-one", ...HOSTS] };
  assert.equal(renderGuard(hostile), renderGuard(SPEC));
});
