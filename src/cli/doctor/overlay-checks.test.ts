// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkView, PathView } from "@fairlead/protocol/network.ts";
import { checkOverlays } from "./overlay-checks.ts";

const NETWORK: NetworkView = {
  name: "shop_default",
  vni: 0x10_0000,
  port: 4789,
  mtu: 1450,
  subnets: ["10.128.0.0/18"],
  encrypted: false,
  state: "joined",
  hosts: [],
  refused: [],
};
const PATH: PathView = {
  from: "node-a",
  to: "node-b",
  node: "b",
  address: "198.51.100.2",
  mtu: 1_500,
  ceiling: 1_500,
  blackHole: false,
};

const say = (networks: readonly NetworkView[], paths: readonly PathView[]) =>
  checkOverlays(networks, paths).map(({ verdict, slug = "", text }) => [verdict, slug, text]);

test("what is well is said with its figures", () => {
  assert.deepEqual(say([NETWORK], [PATH]), [
    ["ok", "", "shop_default joined, 0 hosts, 1450 bytes"],
    ["ok", "", "node-a -> node-b 1500 bytes"],
  ]);
});

test("why packets go over the bridge is said", () => {
  const said = (shortcut: NetworkView["shortcut"]) =>
    say([{ ...NETWORK, ...(shortcut === undefined ? {} : { shortcut }) }], [])[0]?.[2];
  assert.match(said({ instances: 0, why: "not supported" }) ?? "", /, over the bridge: not supp/);
  assert.doesNotMatch(said({ instances: 2 }) ?? "", /bridge/);
});

test("a black hole is named, with the pair of hosts and what passes", () => {
  const hole = { ...PATH, mtu: 1_400, blackHole: true };
  assert.deepEqual(say([], [hole]), [["fail", "path-black-hole", "node-a -> node-b"]]);
  const [report] = checkOverlays([], [hole]);
  assert.match(
    report?.facts?.join("\n") ?? "",
    /up to 1400 bytes arrive[^]*up to 1500 bytes there/,
  );
});

test("a router that has told makes no black hole", () => {
  const told = { ...PATH, mtu: 1_400, ceiling: 1_400 };
  assert.deepEqual(say([], [told]), [["ok", "", "node-a -> node-b 1400 bytes"]]);
});

test("what is not known, not as it should be, or not believed is no silence", () => {
  const { mtu: _, ceiling: __, ...unanswered } = PATH;
  const refused = {
    host: "198.51.100.2",
    mac: "",
    addresses: ["10.128.0.2"],
    why: "it is another's",
  };
  assert.deepEqual(
    say(
      [
        { ...NETWORK, state: "broken", problem: "it fails" },
        { ...NETWORK, refused: [refused] },
      ],
      [unanswered],
    ),
    [
      ["fail", "network-broken", "shop_default"],
      ["warn", "network-disbelieved", "shop_default"],
      ["warn", "path-unanswered", "node-a -> node-b"],
    ],
  );
});

test("an encrypted network says so, and names the host that never answers", () => {
  const host = { node: "b", name: "node-b", self: false, ranges: [], instances: [] };
  const tunnel = { publicKey: "k", madeAtMs: 1, silent: false };
  const encrypted = { ...NETWORK, encrypted: true, hosts: [{ ...host, tunnel }] };
  assert.deepEqual(say([encrypted], []), [
    ["ok", "", "shop_default joined, 1 hosts, 1450 bytes, encrypted"],
  ]);
  const silent = { ...encrypted, hosts: [{ ...host, tunnel: { ...tunnel, silent: true } }] };
  assert.deepEqual(say([silent], []), [["fail", "network-no-key", "shop_default"]]);
  const [report] = checkOverlays([silent], []);
  assert.match(report?.facts?.join("") ?? "", /^node-b was asked/);
});
