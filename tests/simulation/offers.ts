// SPDX-License-Identifier: Apache-2.0
// What each node of the simulated fleet would place.
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { NodeOffer, PlaceRequest } from "#brain/placement/offer.ts";

/** A node of the roll as placement takes it. */
export function offerOf({
  id,
  name,
  os,
  arch,
  labels,
  cpuCount,
  memoryBytes,
  state,
}: NodeView): NodeOffer {
  return {
    id,
    name,
    hostName: name,
    os,
    arch,
    labels,
    engineLabels: {},
    cpuMillis: cpuCount * 1_000,
    memoryBytes,
    devices: {},
    load: 0,
    closed: state === "alive" ? "" : state,
    draining: false,
    heldPorts: [],
  };
}

/** A service with more instances than the fleet can hold. */
export function buildRequest(): PlaceRequest {
  return {
    service: "sim/web",
    count: 12,
    everywhere: false,
    constraints: [],
    cpuMillis: 1_500,
    memoryBytes: 0,
    devices: {},
    ports: [],
    pins: [],
    strategy: "spread",
    spreadOver: [],
    perNodeMax: Infinity,
    near: [],
    apart: [],
    priority: 0,
    standing: [],
  };
}
