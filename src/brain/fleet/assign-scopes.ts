// SPDX-License-Identifier: Apache-2.0
// Where the instances of a fleet stand. Pure and sticky: nothing that fits moves, and the same picture gives the same
// answer, whoever leads.
import type { Assignment, PlacedSlot, Unplaced } from "@fairlead/protocol/assignment.ts";
import { isSameJson } from "#base/canonical-json.ts";
import { buildPlaceRequest, listLocalData } from "#brain/placement/build-request.ts";
import type { NodeOffer, Placement, PlaceRequest } from "#brain/placement/offer.ts";
import { placeServices } from "#brain/placement/place-services.ts";
import { describeMissing } from "#brain/placement/refusals.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { findAnchors } from "./find-anchor.ts";
import {
  isFenced,
  isGivenUp,
  isRestoring,
  isWellAt,
  toOffer,
  type FleetPicture,
  type FleetScope,
} from "./picture.ts";

/** An assignment without the leader's token. */
export type Draft = Omit<Assignment, "fence">;

/** What has to be written about a scope. `undefined`: it is down everywhere, and may be forgotten. */
export interface Reassignment {
  readonly scope: string;
  readonly draft: Draft | undefined;
  /** Why something moves that could stay. */
  readonly because?: string;
}

/** How the slots of one service are dealt with. */
export interface Stand {
  readonly service: ServiceIntent;
  /** Slot to where it is now. */
  readonly current: ReadonlyMap<number, PlacedSlot>;
  /** Slots that stay where they are, whatever becomes of the node. */
  readonly held: readonly number[];
  /** Slots that stand on a node that is there. */
  readonly standing: readonly number[];
  /** Slots whose node is lost, and slots that never had one. */
  readonly open: readonly number[];
}

const byNumber = (a: number, b: number): number => a - b;

/** Where each slot of a service was put or, in a scope that was never placed here, where it was found. */
function readCurrent(
  picture: FleetPicture,
  scope: FleetScope,
  service: ServiceIntent,
): Map<number, PlacedSlot> {
  const { assignment, reports } = scope;
  if (assignment !== undefined) {
    const placed = assignment.services[service.name] ?? [];
    const settleOne = service.singleton === true ? settleSingleton : settle;
    return new Map(placed.map((one) => [one.slot, settleOne(picture, scope, service, one)]));
  }
  const found = new Map<number, PlacedSlot>();
  for (const [node, { view }] of [...reports].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const { slot } of view?.services.find(({ name }) => name === service.name)?.instances ??
      [])
      if (!found.has(slot)) found.set(slot, { slot, node });
  return found;
}

/** Lets go of where a slot was before, once it is well where it is; takes it back to where it is well already. */
function settle(
  { nodes }: FleetPicture,
  scope: FleetScope,
  { name: service }: ServiceIntent,
  placed: PlacedSlot,
): PlacedSlot {
  const { slot, node, from = [], spreads } = placed;
  const known = from.filter((id) => nodes.has(id));
  if (known.length === 0 || isWellAt(scope, node, service, slot)) return { slot, node };
  if (spreads === true) return { slot, node, from: known, spreads };
  const back = known.find((id) => {
    const former = nodes.get(id);
    const open = former?.standing === "up" && former.schedulable && !former.draining;
    return open && former.offer !== undefined && isWellAt(scope, id, service, slot);
  });
  return back === undefined ? { slot, node, from: known } : { slot, node: back };
}

/**
 * A singleton starts only once each node where it was says that it has it no more, or has surely stopped it. What a node
 * said before it knew that the singleton leaves it counts for nothing: it may have been about to start it.
 */
function settleSingleton(
  { nodes }: FleetPicture,
  { reports, assignedAt }: FleetScope,
  service: ServiceIntent,
  { slot, node, from = [] }: PlacedSlot,
): PlacedSlot {
  const waiting = from.filter((id) => {
    const at = nodes.get(id);
    if (at === undefined || isFenced(at, service)) return false;
    const report = reports.get(id);
    if (report === undefined || (report.taken ?? 0) < assignedAt) return true;
    const view = report.view?.services.find(({ name }) => name === service.name);
    return view?.instances.some((one) => one.slot === slot) === true;
  });
  return waiting.length === 0 ? { slot, node } : { slot, node, from: waiting };
}

function judgeSlot(
  { nodes }: FleetPicture,
  service: ServiceIntent,
  { node }: PlacedSlot,
): "held" | "standing" | "open" {
  const { failover, singleton } = service;
  const at = nodes.get(node);
  if (at === undefined) return "open";
  if (singleton === true && at.standing !== "up")
    return failover !== "stay" && isFenced(at, service) ? "open" : "held";
  if (at.standing === "gone") return failover === "stay" ? "held" : "open";
  if (at.standing === "suspect" && failover === "eager") return "open";
  if (at.ailingMs > 0) return isGivenUp(at, service) ? "open" : "held";
  return at.offer === undefined ? "held" : "standing";
}

function readStand(picture: FleetPicture, scope: FleetScope, service: ServiceIntent): Stand {
  const current = readCurrent(picture, scope, service);
  const { replicas, placement } = service;
  const slots = placement.everywhere
    ? [...current.keys()].sort(byNumber)
    : Array.from({ length: replicas }, (_, index) => index + 1);
  const judged = Map.groupBy(slots, (slot) => {
    const placed = current.get(slot);
    return placed === undefined ? "open" : judgeSlot(picture, service, placed);
  });
  return {
    service,
    current,
    held: judged.get("held") ?? [],
    standing: judged.get("standing") ?? [],
    open: judged.get("open") ?? [],
  };
}

/** Who has the data of the scope's volumes, and the files of its project. */
function findData(
  { nodes }: FleetPicture,
  { wanted: { intent, origin } }: FleetScope,
  stands: readonly Stand[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  const note = (data: string, node: string): void => {
    const known = found.get(data);
    if (known === undefined) found.set(data, new Set([node]));
    else known.add(node);
  };
  for (const { id, offer } of nodes.values())
    for (const name of Object.values(offer?.volumes ?? {}).flat()) note(name, id);
  for (const { service, current } of stands)
    for (const data of listLocalData(service, intent.volumes))
      if (data.startsWith("/")) {
        if (data.startsWith(`${intent.projectDirectory}/`)) note(data, origin);
      } else for (const { node } of current.values()) note(data, node);
  return new Map([...found].map(([data, ids]) => [data, [...ids].sort()]));
}

function toRequest(
  scope: FleetScope,
  stand: Stand,
  dataNodes: ReadonlyMap<string, readonly string[]>,
): PlaceRequest {
  const { service, current, held, standing } = stand;
  const { intent } = scope.wanted;
  const facts = {
    scope: intent.scope,
    volumes: intent.volumes,
    dataNodes,
    standing: standing.map((slot) => current.get(slot)?.node ?? ""),
  };
  const request = buildPlaceRequest(service, facts);
  return { ...request, count: Math.max(0, request.count - held.length) };
}

/** A slot that goes to a node, and runs on where it was until it is well there. */
export function moveTo(slot: number, node: string, before: PlacedSlot | undefined): PlacedSlot {
  const from = [before?.node ?? node, ...(before?.from ?? [])].filter((id) => id !== node);
  return from.length === 0 ? { slot, node } : { slot, node, from: [...new Set(from)] };
}

/** The slots of a service on the nodes that placement chose, and those for which there was none. */
function dealOut(stand: Stand, { nodes, kept }: Placement) {
  const { service, current, held, standing, open } = stand;
  const staying = nodes.slice(0, kept);
  const placed = held.flatMap((slot) => current.get(slot) ?? []);
  const free = [...open];
  for (const slot of standing) {
    const now = current.get(slot);
    const at = staying.indexOf(now?.node ?? "");
    if (now === undefined || at < 0) free.push(slot);
    else placed.push(...staying.splice(at, 1).map(() => now));
  }
  if (service.placement.everywhere)
    return { placed: spreadOut(placed, nodes.slice(kept)), lacking: [] };
  free.sort(byNumber);
  const fresh = nodes.slice(kept);
  for (const [index, slot] of free.entries()) {
    const node = fresh[index];
    const before = current.get(slot);
    if (node !== undefined) placed.push(moveTo(slot, node, before));
    else if (before !== undefined) placed.push(before);
  }
  placed.sort((a, b) => a.slot - b.slot);
  return { placed, lacking: free.slice(fresh.length) };
}

/** One more slot for each node that has none yet. */
function spreadOut(placed: readonly PlacedSlot[], fresh: readonly string[]): PlacedSlot[] {
  const taken = new Set(placed.map(({ slot }) => slot));
  let slot = 0;
  const added = fresh.map((node) => {
    do slot++;
    while (taken.has(slot));
    return { slot, node };
  });
  return [...placed, ...added].sort((a, b) => a.slot - b.slot);
}

/** Where the slots of a service stand that can only stand beside another's. */
function follow({ service, current }: Stand, anchor: readonly PlacedSlot[]): PlacedSlot[] {
  return Array.from({ length: service.replicas }, (_, index) => index + 1).flatMap((slot) => {
    const at = anchor.find((one) => one.slot === slot) ?? anchor[0];
    return at === undefined ? [] : [moveTo(slot, at.node, current.get(slot))];
  });
}

function assignScope(
  scope: FleetScope,
  intent: Intent,
  stands: ReadonlyMap<string, Stand>,
  placements: ReadonlyMap<string, Placement>,
): Draft {
  const services: Record<string, PlacedSlot[]> = {};
  const missing: Unplaced[] = [];
  const anchors = findAnchors(intent);
  for (const [name, stand] of stands) {
    const placement = placements.get(`${intent.scope}/${name}`);
    if (placement === undefined) continue;
    const { placed, lacking } = dealOut(stand, placement);
    services[name] = placed;
    if (lacking.length > 0)
      missing.push({ service: name, slots: lacking, why: describeMissing(placement) });
  }
  for (const [name, anchor] of anchors) {
    const stand = stands.get(name);
    if (stand !== undefined) services[name] = follow(stand, services[anchor] ?? []);
  }
  return { generation: scope.generation, services, missing };
}

/** Whether a node has volumes that are to go with their scope. */
function hasVolumesLeft(
  { nodes }: FleetPicture,
  { wanted: { intent, removal } }: FleetScope,
): boolean {
  if (removal?.volumes !== true) return false;
  return [...nodes.values()].some(
    ({ standing, offer }) => standing !== "gone" && (offer?.volumes[intent.scope] ?? []).length > 0,
  );
}

/** Whether nothing of a scope that nobody wants is left, but on nodes that are gone. */
function isDown(picture: FleetPicture, scope: FleetScope): boolean {
  const { nodes } = picture;
  const { assignment, generation, reports } = scope;
  if (hasVolumesLeft(picture, scope)) return false;
  const slots = Object.values(assignment?.services ?? {}).flat();
  // Who shows something of it has it yet, also where nothing is assigned any more. Of generation 0 is what a node has by itself.
  const leaving = [...reports].filter(([, report]) => report.generation > 0 && report.view);
  const holders = new Set([
    ...slots.flatMap(({ node, from = [] }) => [node, ...from]),
    ...leaving.map(([id]) => id),
  ]);
  return [...holders].every((id) => {
    const node = nodes.get(id);
    if (node === undefined || node.standing === "gone") return true;
    const report = reports.get(id);
    return report?.generation === generation && report.view === undefined;
  });
}

function differs(draft: Draft, assignment: Assignment | undefined): boolean {
  if (assignment === undefined) return true;
  const { fence: _fence, ...before } = assignment;
  return !isSameJson(draft, before);
}

/** What placement is asked for a whole fleet: the nodes, and the services of all scopes that are wanted. */
export interface PlaceQuestion {
  readonly offers: readonly NodeOffer[];
  readonly requests: readonly PlaceRequest[];
  /** Scope to service to where its slots stand now. */
  readonly stands: ReadonlyMap<string, ReadonlyMap<string, Stand>>;
}

/** Makes the question. Services that can only stand beside another's are not in it: they follow. */
export function askPlacement(picture: FleetPicture): PlaceQuestion {
  const offers: NodeOffer[] = [...picture.nodes.values()].flatMap((node) => toOffer(node) ?? []);
  const requests: PlaceRequest[] = [];
  const stands = new Map<string, Map<string, Stand>>();
  const kept = [...picture.scopes].filter(
    ([, scope]) => scope.wanted.removal === undefined && !isRestoring(picture, scope),
  );
  for (const [name, scope] of kept) {
    const { intent } = scope.wanted;
    const own = new Map(intent.services.map((one) => [one.name, readStand(picture, scope, one)]));
    stands.set(name, own);
    const data = findData(picture, scope, [...own.values()]);
    const anchors = findAnchors(intent);
    for (const stand of own.values())
      if (!anchors.has(stand.service.name)) requests.push(toRequest(scope, stand, data));
  }
  return { offers, requests, stands };
}

/** All that has to be written so that each scope stands as it should. Nothing, when it does. `question`: the picture's. */
export function assignScopes(
  picture: FleetPicture,
  question = askPlacement(picture),
): readonly Reassignment[] {
  const { offers, requests, stands } = question;
  const placed = new Map(placeServices(offers, requests).map((one) => [one.service, one]));
  const changes: Reassignment[] = [];
  for (const [name, scope] of picture.scopes) {
    if (isRestoring(picture, scope)) continue;
    const own = stands.get(name);
    if (own === undefined) {
      if (isDown(picture, scope)) changes.push({ scope: name, draft: undefined });
      continue;
    }
    const draft = assignScope(scope, scope.wanted.intent, own, placed);
    if (differs(draft, scope.assignment)) changes.push({ scope: name, draft });
  }
  return changes;
}
