// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTunnel } from "./drivers/memory/tunnel.ts";
import { readDump } from "./drivers/wireguard/read-tunnel.ts";
import { planTunnel, selectPeers } from "./plan-tunnel.ts";
import type { TunnelChange, TunnelPeer, TunnelSpec } from "./tunnel.ts";

const key = (letter: string): string => `${letter.repeat(42)}A=`;
const peer = (letter: string, n: number, more: Partial<TunnelPeer> = {}): TunnelPeer => ({
  publicKey: key(letter),
  address: `198.51.100.${n}`,
  endpoint: { address: `198.51.100.${n}`, port: 51_820 },
  ...more,
});
const spec = (...peers: TunnelPeer[]): TunnelSpec => ({
  device: "flw0",
  host: "198.51.100.1",
  port: 51_820,
  mtu: 1_440,
  keyFile: "/none",
  publicKey: key("a"),
  peers,
});

const say = (changes: readonly TunnelChange[]): readonly string[] =>
  changes.map((change) => {
    if (change.kind === "peer") return `peer ${change.peer.publicKey[0]} ${change.peer.address}`;
    if (change.kind === "unpeer") return `unpeer ${change.publicKey[0]}`;
    return `${change.kind} ${"address" in change ? change.address : change.device}`;
  });

test("a device comes with its peers, and twice changes nothing", async () => {
  const { tunnel } = createMemoryTunnel();
  const wanted = spec(peer("b", 2), peer("c", 3));
  assert.deepEqual(say((await tunnel.apply(wanted)).changes), [
    "make flw0",
    "set flw0",
    "peer b 198.51.100.2",
    "peer c 198.51.100.3",
    "route 198.51.100.2",
    "route 198.51.100.3",
  ]);
  assert.deepEqual((await tunnel.apply(wanted)).changes, []);
});

test("a key that follows is known first, and then takes the address from the one before", async () => {
  const { tunnel } = createMemoryTunnel();
  await tunnel.apply(spec(peer("b", 2)));
  const known = spec(peer("b", 2), peer("d", 2, { address: undefined }));
  assert.deepEqual(say((await tunnel.apply(known)).changes), ["peer d undefined"]);
  const { changes } = await tunnel.apply(spec(peer("d", 2)));
  assert.deepEqual(say(changes), ["peer d 198.51.100.2", "unpeer b"]);
});

test("nobody gets an address that is another's, or this host's, and nothing but a key is a key", () => {
  const peers = selectPeers(
    spec(
      peer("b", 2),
      peer("c", 2),
      peer("d", 1),
      peer("a", 4),
      peer("e", 5, { publicKey: "short" }),
      peer("f", 6, { address: "198.51.100.1" }),
      peer("g", 7, { endpoint: { address: "fd00::7", port: 1 } }),
      peer("h", 8, { endpoint: { address: "8 remove", port: 1 } }),
    ),
  );
  assert.deepEqual(
    peers.map(({ publicKey, address }) => [publicKey[0], address]),
    [
      ["b", "198.51.100.2"],
      ["c", undefined],
      ["f", undefined],
    ],
  );
});

test("who is heard elsewhere is left there, who is silent is looked for where he says", () => {
  const NOW_MS = 1_000_000_000;
  const fact = (handshakeAtMs: number | undefined) => ({
    ...spec(),
    way: "kernel" as const,
    set: true,
    routes: ["198.51.100.2"],
    peers: [
      {
        publicKey: key("b"),
        address: "198.51.100.2",
        endpoint: "203.0.113.9:4000",
        handshakeAtMs,
        sentBytes: 0,
      },
    ],
  });
  const plan = (atMs?: number) => say(planTunnel(spec(peer("b", 2)), fact(atMs), NOW_MS));
  assert.deepEqual(plan(NOW_MS - 1_000), []);
  assert.deepEqual(plan(NOW_MS - 600_000), ["peer b 198.51.100.2"]);
  assert.deepEqual(plan(), ["peer b 198.51.100.2"]);
});

test("a dump is read without the private key", () => {
  const lines = [
    ["SECRET", key("a"), "51820", "off"],
    [key("b"), "(none)", "198.51.100.2:51820", "198.51.100.2/32", "1790000000", "10", "20", "off"],
    [key("c"), "(none)", "(none)", "(none)", "0", "0", "0", "off"],
  ];
  const read = readDump(lines.map((fields) => fields.join("\t")).join("\n"));
  assert.ok(!JSON.stringify(read).includes("SECRET"));
  assert.deepEqual(read, {
    publicKey: key("a"),
    port: 51_820,
    peers: [
      {
        publicKey: key("b"),
        address: "198.51.100.2",
        endpoint: "198.51.100.2:51820",
        handshakeAtMs: 1_790_000_000_000,
        sentBytes: 20,
      },
      {
        publicKey: key("c"),
        address: undefined,
        endpoint: undefined,
        handshakeAtMs: undefined,
        sentBytes: 0,
      },
    ],
  });
});
