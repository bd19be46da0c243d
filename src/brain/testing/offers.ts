// SPDX-License-Identifier: Apache-2.0
// Nodes and requests as tests of placement want them.
import type { NodeOffer, PlaceRequest } from "#brain/placement/offer.ts";

/** A node of four cores and 8,000 bytes, with nothing special. */
export function buildOffer(id: string, more: Partial<NodeOffer> = {}): NodeOffer {
  return {
    id,
    name: id,
    hostName: `${id}.example`,
    os: "linux",
    arch: "x86_64",
    labels: {},
    engineLabels: {},
    cpuMillis: 4_000,
    memoryBytes: 8_000,
    devices: {},
    load: 0,
    closed: "",
    draining: false,
    heldPorts: [],
    ...more,
  };
}

/** One instance of `shop/web`, which takes nothing and may stand anywhere. */
export function buildRequest(more: Partial<PlaceRequest> = {}): PlaceRequest {
  return {
    service: "shop/web",
    count: 1,
    everywhere: false,
    constraints: [],
    cpuMillis: 0,
    memoryBytes: 0,
    devices: {},
    ports: [],
    pins: [],
    strategy: "spread",
    spreadOver: [],
    perNodeMax: 1_000,
    near: [],
    apart: [],
    priority: 0,
    standing: [],
    ...more,
  };
}
