// SPDX-License-Identifier: Apache-2.0
// Two hosts of the lab without engines: the device on the kernel or on wireguard-go, and a network over it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createNamespace } from "#lab/engine.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { openOverlay } from "#network/open.ts";
import type { OverlayAttachment } from "#network/overlay.ts";
import { nameDevice } from "#network/plan-overlay.ts";
import { nameTunnel } from "#network/plan-tunnel.ts";
import { openTunnelKeys, type TunnelKeys } from "#network/tunnel-keys.ts";
import type { Tunnel, TunnelPeer } from "#network/tunnel.ts";
import { createWireguardTunnel } from "./driver.ts";

const PORT = 51_820;
const VNI = 0x10_0000;

interface Host {
  readonly n: number;
  readonly netns: string;
  readonly ip: string;
  readonly device: string;
  readonly tunnel: Tunnel;
  readonly keys: TunnelKeys;
}

let ledger: Ledger;
let directory = "";
const hosts: Host[] = [];

function host(index: number): Host {
  const found = hosts[index];
  assert.ok(found !== undefined);
  return found;
}

const run = ({ netns }: Host, program: string, ...args: string[]): string =>
  runInNamespace(netns, program, args);

const macOf = (n: number): string => `02:42:0a:4d:00:0${n}`;

async function peerOf({ ip, keys }: Host): Promise<TunnelPeer> {
  const { publicKey } = await keys.read();
  return { publicKey, address: ip, endpoint: { address: ip, port: PORT } };
}

async function encrypt(at: Host, ...peers: TunnelPeer[]) {
  const { publicKey } = await at.keys.read();
  const { device, ip, keys } = at;
  const spec = { device, host: ip, port: PORT, mtu: 1_440, keyFile: keys.file, publicKey, peers };
  return at.tunnel.apply(spec);
}

/** The network on a host, with the bridge as its only place. */
function attach({ ip, device }: Host): OverlayAttachment {
  const network = { name: "secret", vni: VNI, port: 4789, mtu: 1_390 };
  const endpoints = hosts.map((one) => ({
    host: one.ip,
    mac: macOf(one.n),
    addresses: [`10.77.0.${one.n}`],
  }));
  return { network, host: ip, bridge: "br-a", tunnel: device, endpoints };
}

/** How many of so many packets of full size come back. */
function ping(from: Host, to: Host, count = 3): number {
  try {
    const args = [
      "ping",
      "-q",
      "-c",
      String(count),
      "-i",
      "0.1",
      "-W",
      "1",
      "-s",
      "1362",
      `10.77.0.${to.n}`,
    ];
    return Number(/(\d+) packets received/.exec(run(from, "busybox", ...args))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

before(() => {
  ledger = openLedger();
  directory = mkdtempSync(join(tmpdir(), "fairlead-tunnel-"));
  for (const n of [1, 2]) {
    const netns = `${ledger.tag}-w${n}`;
    createNamespace(ledger, netns);
    const ip = `198.51.100.${n}`;
    hosts.push({
      n,
      netns,
      ip,
      device: nameTunnel(netns),
      tunnel: createWireguardTunnel({ netns: `/run/netns/${netns}`, host: ip }),
      keys: openTunnelKeys(join(directory, `key${n}`)),
    });
  }
  const [a, b] = [host(0), host(1)];
  const peer = ["peer", "name", "eth0", "netns", b.netns];
  runProgram("ip", ["-n", a.netns, "link", "add", "eth0", "type", "veth", ...peer]);
  for (const at of hosts) {
    run(at, "ip", "address", "add", `${at.ip}/24`, "dev", "eth0");
    run(at, "ip", "link", "set", "eth0", "up");
    run(at, "ip", "link", "add", "br-a", "address", macOf(at.n), "type", "bridge");
    run(at, "ip", "link", "set", "br-a", "up", "mtu", "1390");
    run(at, "ip", "address", "add", `10.77.0.${at.n}/16`, "dev", "br-a");
    // As many distributions have it.
    run(at, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1");
    run(at, "nft", "add table inet watch");
    run(at, "nft", "add chain inet watch out { type filter hook output priority 0; }");
    run(at, "nft", 'add rule inet watch out oifname "eth0" udp dport 4789 counter drop');
  }
});

after(() => {
  ledger.clear();
  rmSync(directory, { recursive: true, force: true });
});

test("two hosts have a network through it, and nothing of it goes another way", async () => {
  for (const at of hosts) {
    // The first one of a network knows nobody yet.
    assert.deepEqual((await encrypt(at)).fact.routes, []);
    const others = hosts.filter((other) => other !== at);
    const { fact } = await encrypt(at, ...(await Promise.all(others.map(peerOf))));
    assert.ok(fact.set);
    assert.deepEqual((await encrypt(at, ...(await Promise.all(others.map(peerOf))))).changes, []);
    await using overlay = openOverlay({ kind: "vxlan", netns: `/run/netns/${at.netns}` });
    await overlay.apply([attach(at)]);
    assert.deepEqual(await overlay.apply([attach(at)]), []);
  }
  assert.equal(ping(host(0), host(1)), 3);
  const fact = await host(0).tunnel.observe(host(0).device);
  assert.ok((fact?.peers[0]?.handshakeAtMs ?? 0) > 0);
  assert.match(run(host(0), "nft", "list table inet watch"), /counter packets 0 bytes 0/);
});

test("keys are for this user only, and a private one is in no answer", async () => {
  const { keys, tunnel, device } = host(0);
  assert.equal(statSync(keys.file).mode & 0o777, 0o600);
  const secret = readFileSync(keys.file, "utf8").trim();
  assert.ok(!JSON.stringify(await tunnel.observe(device)).includes(secret));
});

test("a host that changes its key is heard on", async () => {
  const [a, b] = [host(0), host(1)];
  const old = await peerOf(b);
  const next = await b.keys.prepareNext();
  await encrypt(a, old, { ...old, publicKey: next.publicKey, address: undefined });
  assert.equal(ping(a, b), 3, "to be known changes nothing");
  await b.keys.switchToNext();
  await encrypt(b, await peerOf(a));
  const { changes } = await encrypt(a, await peerOf(b));
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ["peer", "unpeer"],
  );
  assert.ok(ping(a, b, 5) >= 4);
});

test("what somebody changed is put back, and what is gone is made again", async () => {
  const [a, b] = [host(0), host(1)];
  const peer = await peerOf(b);
  run(a, "ip", "rule", "del", "oif", a.device);
  run(a, "wg", "set", a.device, "peer", peer.publicKey, "allowed-ips", "198.51.100.9/32");
  run(a, "ip", "link", "set", a.device, "mtu", "1300");
  const { changes } = await encrypt(a, peer);
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ["set", "peer"],
  );
  assert.equal(ping(a, b), 3);
  run(a, "ip", "link", "del", a.device);
  assert.ok(!run(a, "ip", "-br", "link").includes(nameDevice(VNI)), "its networks go with it");
  assert.equal(ping(a, b), 0);
  assert.match(run(a, "nft", "list table inet watch"), /counter packets 0 bytes 0/);
  assert.equal((await encrypt(a, peer)).changes[0]?.kind, "make");
  await using overlay = openOverlay({ kind: "vxlan", netns: `/run/netns/${a.netns}` });
  await overlay.apply([attach(a)]);
  assert.equal(ping(a, b), 3);
  assert.equal(await a.tunnel.remove(a.device), true);
  assert.equal(await a.tunnel.observe(a.device), undefined);
  assert.ok(!run(a, "ip", "rule").includes(a.device));
});
