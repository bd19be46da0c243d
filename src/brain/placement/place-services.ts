// SPDX-License-Identifier: Apache-2.0
// Where instances stand. Pure: the same nodes and requests give the same answer, whatever their order in memory.
import { Field } from "./field.ts";
import { Ground, type Demand } from "./ground.ts";
import { keepStanding, type Stay } from "./keep-standing.ts";
import type { NodeOffer, Placement, PlaceRequest } from "./offer.ts";
import { listFoes, orderRequests } from "./order.ts";
import { RefusalCount } from "./refusals.ts";

/** `everywhere` in the words of the others: as many as there are nodes, one on each. */
function settleCount(request: PlaceRequest, nodes: number): PlaceRequest {
  return request.everywhere ? { ...request, count: nodes, perNodeMax: 1 } : request;
}

/** Why each node takes none more. Of a service that is to be everywhere, those that could never have it do not count. */
function countRefusals(ground: Ground, demand: Demand): RefusalCount {
  const refused = new RefusalCount();
  for (const [number, { name, closed }] of ground.nodes.entries()) {
    if (demand.request.everywhere) {
      const isOut = closed !== "" || ground.findLasting(number, demand) !== undefined;
      if (isOut || demand.counts.has(number)) continue;
    }
    refused.add(ground.findFailure(number, demand) ?? { test: "fits" }, name);
  }
  return refused;
}

function placeOne(ground: Ground, demand: Demand, ranks: Float64Array, stay: Stay): Placement {
  const { service, count, everywhere } = demand.request;
  const { kept, left } = stay;
  const nodes = [...kept];
  if (nodes.length < count) {
    const field = new Field(ground, demand, ranks);
    while (nodes.length < count) {
      const id = ground.nodes[field.putOne() ?? -1]?.id;
      if (id === undefined) break;
      nodes.push(id);
    }
  }
  const refusals = nodes.length < count ? countRefusals(ground, demand).list() : [];
  const missing = everywhere
    ? refusals.reduce((sum, refusal) => sum + refusal.nodes, 0)
    : count - nodes.length;
  return { service, nodes, kept: kept.length, left, missing, refusals };
}

/** The nodes with all that is placed, and each service's demand and placement, in the order of the requests. */
export interface Placed {
  readonly ground: Ground;
  readonly demands: readonly Demand[];
  readonly placements: readonly Placement[];
}

/** As `placeServices`, with the ground on which it was done. */
export function placeOnGround(
  offers: readonly NodeOffer[],
  requests: readonly PlaceRequest[],
): Placed {
  const ground = new Ground(offers.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  const foes = listFoes(requests);
  const demands = requests.map((request) =>
    ground.prepare(settleCount(request, offers.length), foes.get(request.service) ?? []),
  );
  const order = orderRequests(requests);
  const stays: Stay[] = [];
  const placements: Placement[] = [];
  for (const index of order) {
    const demand = demands[index];
    if (demand !== undefined) stays[index] = keepStanding(ground, demand);
  }
  const ranks = new Float64Array(offers.length);
  for (const index of order) {
    const [demand, stay] = [demands[index], stays[index]];
    if (demand !== undefined && stay !== undefined)
      placements[index] = placeOne(ground, demand, ranks, stay);
  }
  return { ground, demands, placements };
}

/**
 * Gives every instance a node. What stands stays where it passes the tests, even on a node that takes nothing new; then
 * higher priorities choose first. An instance that has to leave and finds no other node is both `left` and `missing`:
 * whoever moves it lets it run until there is one. Names of services and ids of nodes have to be unique.
 */
export function placeServices(
  offers: readonly NodeOffer[],
  requests: readonly PlaceRequest[],
): readonly Placement[] {
  return placeOnGround(offers, requests).placements;
}
