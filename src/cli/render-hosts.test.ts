// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { mapHosts, type HostMapParts } from "@fairlead/protocol/host-map.ts";
import type { NetworkView } from "@fairlead/protocol/network.ts";
import type { InstanceView } from "@fairlead/protocol/views.ts";
import { buildNodeView } from "#model/testing/nodes.ts";
import { renderHosts } from "./render-hosts.ts";
import { createStyle } from "./style.ts";

function instance(service: string, slot: number, more: Partial<InstanceView> = {}): InstanceView {
  return {
    id: `${service}${slot}`,
    name: `shop-${service}-${slot}`,
    scope: "shop",
    service,
    slot,
    image: "shop:1",
    state: "running",
    health: "none",
    oomKilled: false,
    createdAtMs: 0,
    ports: [],
    addresses: {},
    current: true,
    adopted: false,
    ...more,
  };
}

function scope(...instances: InstanceView[]): HostMapParts["scopes"][number] {
  return { services: [{ instances }] };
}

function network(name: string, ...nodes: string[]): NetworkView {
  const hosts = nodes.map((node) => ({
    node: `${node}-1`,
    name: node,
    self: false,
    ranges: [],
    instances: [],
  }));
  const plain = { vni: 1, port: 4789, mtu: 1450, subnets: [], encrypted: false, refused: [] };
  return { name, ...plain, state: "joined", hosts };
}

const PARTS: HostMapParts = {
  nodes: [
    buildNodeView("h1", { self: true, leader: true }),
    buildNodeView("h2", { rttMs: 0.423, draining: true, schedulable: false }),
    buildNodeView("h3", { state: "suspect", reason: "silent for 1.3s", rttMs: 12.2 }),
  ],
  scopes: [
    scope(
      instance("web", 2, { node: "h2", health: "starting" }),
      instance("web", 1, { node: "h1" }),
      instance("db", 1, { node: "h1", state: "exited" }),
    ),
  ],
  networks: [network("shop_default", "h1", "h2"), network("mon_default", "h3", "h2")],
  paths: [
    { from: "h1", to: "h3", node: "h3-1", address: "10.0.0.3", mtu: 1400, blackHole: true },
    { from: "h1", to: "h2", node: "h2-1", address: "10.0.0.2", mtu: 1500, blackHole: false },
  ],
  agents: [
    { name: "boss", scope: "talk", node: "h3" },
    { name: "alone", scope: "talk" },
  ],
};

test("hosts are drawn with what they have, and what lies between them", () => {
  const lines = renderHosts(mapHosts(PARTS), createStyle(false, true));
  assert.equal(
    lines.join("\n"),
    `3 hosts, 3 instances

h1 (this)  alive, leads
  shop  db-1 (exited) web-1
  agents: talk/alone
h2         alive, draining
  shop  web-2 (starting)
h3         suspect, silent for 1.3s
  agents: talk/boss

between hosts
  h1 ─ h2  0.42ms, packets up to 1500 bytes, shop_default
  h1 ─ h3  12ms, packets up to 1400 bytes, larger ones vanish
  h2 ─ h3  mon_default`,
  );
});

test("a host without anything says so, and a node by itself has no ways", () => {
  const map = mapHosts({
    ...PARTS,
    nodes: [buildNodeView("h9", { self: true })],
    scopes: [],
    agents: [],
  });
  const lines = renderHosts(map, createStyle(false, true));
  assert.deepEqual(lines, ["1 host, 0 instances", "", "h9 (this)  alive", "  nothing runs here"]);
});
