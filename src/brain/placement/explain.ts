// SPDX-License-Identifier: Apache-2.0
// Why a service stands where it stands, node by node.
import type { NodeFit, PlacementView } from "@fairlead/protocol/placement.ts";
import { formatSize } from "#base/size.ts";
import { listSpreadKeys, rankNode } from "./field.ts";
import type { Demand, Ground } from "./ground.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import { placeOnGround } from "./place-services.ts";
import { describeFailure, describeMissing } from "./refusals.ts";

/** What a service asks of nodes, each in a few words. */
function listAsks({ nodes: all }: Ground, { request, foes }: Demand): string[] {
  const nameOf = (id: string): string => all.find((node) => node.id === id)?.name ?? id;
  const { cpuMillis, memoryBytes, devices, everywhere, perNodeMax, priority } = request;
  const keys = listSpreadKeys(request);
  return [
    ...request.constraints.map(({ text }) => `constraint ${text}`),
    ...(cpuMillis > 0 ? [`${cpuMillis / 1_000} cores`] : []),
    ...(memoryBytes > 0 ? [`${formatSize(memoryBytes)} of memory`] : []),
    ...Object.entries(devices).map(([kind, amount]) => `${amount} ${kind}`),
    ...request.ports.map((port) => `port ${port}`),
    ...request.pins.map(
      ({ volume, nodes }) => `volume ${volume} of ${nodes.map(nameOf).join(", ") || "no node"}`,
    ),
    ...(everywhere ? ["one on each node"] : []),
    ...(!everywhere && Number.isFinite(perNodeMax) ? [`${perNodeMax} a node at most`] : []),
    ...foes.map(({ service }) => `apart from ${service}`),
    ...request.near.map((other) => `near ${other}`),
    `${request.strategy}${keys.length > 0 ? ` over ${keys.join(", ")}` : ""}`,
    ...(priority === 0 ? [] : [`priority ${priority}`]),
  ];
}

function describeNode(ground: Ground, number: number, demand: Demand): NodeFit {
  const failure = ground.findFailure(number, demand);
  const { id = "", name = "" } = ground.nodes[number] ?? {};
  return {
    id,
    name,
    instances: demand.counts.get(number) ?? 0,
    takes: failure === undefined,
    reason: failure === undefined ? "" : describeFailure(failure),
    reserved: Math.max(0, ground.reservedOf(number)),
  };
}

/**
 * The answer for one service of the requests, when all of them are placed; undefined when there is no such service. Nodes
 * that take one more come in the order in which they would, zones aside.
 */
export function explainPlacement(
  offers: readonly NodeOffer[],
  requests: readonly PlaceRequest[],
  service: string,
): Omit<PlacementView, "notes"> | undefined {
  const { ground, demands, placements } = placeOnGround(offers, requests);
  const index = requests.findIndex((request) => request.service === service);
  const [demand, placement] = [demands[index], placements[index]];
  if (demand === undefined || placement === undefined) return undefined;
  const near = demand.request.near.map((other) => ground.countsOf(other));
  const nodes = ground.nodes
    .map((_, number) => ({
      fit: describeNode(ground, number, demand),
      rank: rankNode(ground, demand, near, number),
    }))
    .toSorted(
      (a, b) =>
        Number(b.fit.takes) - Number(a.fit.takes) ||
        (a.fit.takes ? a.rank - b.rank : 0) ||
        (a.fit.name < b.fit.name ? -1 : 1),
    );
  const [scope = "", name = ""] = service.split("/");
  const { length } = placement.nodes;
  const all = `${length} ${length === 1 ? "has its node" : "have their nodes"}`;
  return {
    scope,
    service: name,
    wanted: length + placement.missing,
    missing: placement.missing,
    summary: describeMissing(placement) || all,
    asks: listAsks(ground, demand),
    nodes: nodes.map(({ fit }) => fit),
  };
}
