// SPDX-License-Identifier: Apache-2.0
// Spreading again once a node has joined or come back: one instance at a time, and only while all is calm. The instance runs
// where it was until it is well where it goes.
import type { Assignment, PlacedSlot } from "@fairlead/protocol/assignment.ts";
import { planRebalance, type Move } from "#brain/placement/moves.ts";
import { askPlacement, moveTo, type PlaceQuestion, type Reassignment } from "./assign-scopes.ts";
import { findAnchors } from "./find-anchor.ts";
import { isWellAt, type FleetPicture, type FleetScope } from "./picture.ts";

/** A node that comes and goes is given nothing back before it has been here so long. */
export const STEADY_MS = 30_000;

/** Whether each instance of a scope runs where it was placed, so that nothing is under way. */
function isCalm({ assignment, generation, wanted }: FleetScope): boolean {
  if (wanted.removal !== undefined) return true;
  if (assignment?.generation !== generation) return false;
  const placed = Object.values(assignment.services).flat();
  return placed.every(({ from }) => from === undefined);
}

/** Services that stay as they stand: not all of them well, singletons, and what stands beside something else. */
function listFixed(scope: FleetScope): readonly string[] {
  const { intent } = scope.wanted;
  const anchors = findAnchors(intent);
  const together = new Set([...anchors.keys(), ...anchors.values()]);
  return intent.services
    .filter((service) => {
      const { name, singleton, failover } = service;
      const placed = scope.assignment?.services[name] ?? [];
      const isWell = placed.every(({ slot, node }) => isWellAt(scope, node, name, slot));
      return singleton === true || failover === "stay" || together.has(name) || !isWell;
    })
    .map(({ name }) => `${intent.scope}/${name}`);
}

function applyMove(
  scope: FleetScope,
  assignment: Assignment,
  { service, from, to }: Move,
): Assignment["services"] | undefined {
  const name = service.slice(scope.wanted.intent.scope.length + 1);
  const placed = assignment.services[name] ?? [];
  const leaving = placed.findLast(({ node }) => node === from);
  if (leaving === undefined) return undefined;
  const move = (one: PlacedSlot): PlacedSlot =>
    one === leaving ? { ...moveTo(one.slot, to, one), spreads: true } : one;
  return { ...assignment.services, [name]: placed.map(move) };
}

/**
 * The one move that makes a fleet more evenly spread; undefined when there is none, or it is not the time for it.
 * `question`: the picture's, if it is made already.
 */
export function rebalance(
  picture: FleetPicture,
  question?: PlaceQuestion,
): Reassignment | undefined {
  const nodes = [...picture.nodes.values()];
  const scopes = [...picture.scopes.values()];
  const isUnsure = nodes.some(({ standing }) => standing === "away" || standing === "suspect");
  if (isUnsure || !scopes.every(isCalm)) return undefined;
  const { offers, requests } = question ?? askPlacement(picture);
  const isNew = new Set(nodes.filter(({ upMs }) => upMs < STEADY_MS).map(({ id }) => id));
  const steady = offers.map((offer) =>
    isNew.has(offer.id) && offer.closed === "" ? { ...offer, closed: "has just come" } : offer,
  );
  const busy = new Set(scopes.flatMap(listFixed));
  const [move] = planRebalance(steady, requests, { movesMax: 1, busy });
  if (move === undefined) return undefined;
  const scope = picture.scopes.get(move.service.slice(0, move.service.indexOf("/")));
  const assignment = scope?.assignment;
  if (scope === undefined || assignment === undefined) return undefined;
  const services = applyMove(scope, assignment, move);
  if (services === undefined) return undefined;
  const { generation, missing } = assignment;
  const name = scope.wanted.intent.scope;
  return { scope: name, draft: { generation, services, missing }, because: move.reason };
}
