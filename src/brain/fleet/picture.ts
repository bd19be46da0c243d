// SPDX-License-Identifier: Apache-2.0
// A fleet as it is at one moment: who is there, what is wanted, where it stands, what the nodes say of it.
import type {
  Assignment,
  FleetIntent,
  Offer,
  ScopeReport,
  Turns,
} from "@fairlead/protocol/assignment.ts";
import type { NodeOffer } from "#brain/placement/offer.ts";
import type { ServiceIntent } from "#model/intent.ts";

/**
 * A node of the fleet. `gone` is surely known; `suspect` may be. `away` is not there for a moment: it said that it leaves, as for an
 * upgrade, or was not heard yet since this node started; nothing is wrong with what runs on its host.
 */
export interface FleetNode {
  readonly id: string;
  readonly name: string;
  readonly standing: "up" | "away" | "suspect" | "gone";
  readonly schedulable: boolean;
  readonly draining: boolean;
  /** For how long it has been up without a break, milliseconds. */
  readonly upMs: number;
  /** For how long its lease in the store is known to have ended, milliseconds; 0 while it lives. */
  readonly awayMs: number;
  /** For how long its engine is known not to answer though it lives itself, milliseconds; 0 while it does. */
  readonly ailingMs: number;
  /** What it has; undefined when it has not said it, or does not reach the store. */
  readonly offer: Offer | undefined;
}

/** A scope of the fleet. */
export interface FleetScope {
  readonly wanted: FleetIntent;
  /** Revision of the intent. */
  readonly generation: number;
  /**
   * Since the store has lost where it was assigned: for how long that is known, milliseconds. Undefined when it was
   * assigned since, and when nothing was lost.
   */
  readonly lostMs: number | undefined;
  readonly assignment: Assignment | undefined;
  /** Revision of the assignment; 0 without one. */
  readonly assignedAt: number;
  /** Id of a node to what it says. */
  readonly reports: ReadonlyMap<string, ScopeReport>;
  /** Service to whose turn it is, and for how long that has stood so, milliseconds. */
  readonly turns?: ReadonlyMap<string, { readonly value: Turns; readonly ageMs: number }>;
}

/** All that placing looks at. */
export interface FleetPicture {
  /** By id. */
  readonly nodes: ReadonlyMap<string, FleetNode>;
  /** By name. */
  readonly scopes: ReadonlyMap<string, FleetScope>;
}

function findClosed({ standing, schedulable, draining, ailingMs }: FleetNode): string {
  if (draining) return "draining";
  if (!schedulable) return "cordoned";
  if (ailingMs > 0) return "its engine does not answer";
  return standing === "up" ? "" : standing;
}

/** What a node offers to placement; undefined for one that is gone or has not said what it has. */
export function toOffer(node: FleetNode): NodeOffer | undefined {
  const { id, name, standing, draining, offer } = node;
  if (standing === "gone" || offer === undefined) return undefined;
  const { volumes: _volumes, ...has } = offer;
  return { ...has, id, name, load: 0, closed: findClosed(node), draining };
}

/** Besides its grace, how long a node may take from the end of its lease until its singletons have stopped. */
const FENCE_MS = 5_000;

/** Whether a node that is gone has surely stopped a singleton: it does so when its lease ends. */
export function isFenced(
  { standing, awayMs }: FleetNode,
  { stopGraceMs }: Pick<ServiceIntent, "stopGraceMs">,
): boolean {
  return standing === "gone" && awayMs >= stopGraceMs + FENCE_MS;
}

/** So long an engine may not answer, as while it is upgraded, before what runs there counts as lost. */
const AILING_MS = 30_000;
const AILING_EAGER_MS = 10_000;

/** Whether what a node has counts as lost since its engine does not answer. Never a singleton: it may run all the same. */
export function isGivenUp(
  { ailingMs }: FleetNode,
  { failover, singleton }: Pick<ServiceIntent, "failover" | "singleton">,
): boolean {
  if (failover === "stay" || singleton === true) return false;
  return ailingMs >= (failover === "eager" ? AILING_EAGER_MS : AILING_MS);
}

/** After this every node that reaches the store has a lease in it, and what it has stands there. */
const RESTORE_MS = 10_000;
/** A node that has come back to the store says within this what it has. */
const RETURN_MS = 5_000;
/** So long one that lives is waited for that does not reach the store. */
const RETURN_MAX_MS = 15_000;

/**
 * Whether it is not certain yet where a scope runs: the store has lost that, and the nodes are saying it again. Who places
 * it now, moves it. A node that does not reach the store any more may run a singleton until its lease has ended, and for as
 * long as it takes to stop.
 */
export function isRestoring({ nodes }: FleetPicture, { wanted, lostMs }: FleetScope): boolean {
  if (lostMs === undefined) return false;
  if ([...nodes.values()].every(({ offer }) => offer === undefined)) return true;
  const graces = wanted.intent.services.flatMap(({ singleton, stopGraceMs }) =>
    singleton === true ? [stopGraceMs] : [],
  );
  const stopMs = graces.length === 0 ? 0 : Math.max(...graces) + FENCE_MS;
  if (lostMs < RESTORE_MS + stopMs) return true;
  return [...nodes.values()].some(({ standing, offer, upMs, awayMs }) => {
    if (offer !== undefined) return standing === "up" ? upMs < RETURN_MS : stopMs > 0;
    return awayMs < (standing === "gone" ? stopMs : Math.max(stopMs, RETURN_MAX_MS));
  });
}

/** Whether an instance runs well on a node, or has completed there, as far as the node says. */
export function isWellAt(
  { reports }: FleetScope,
  node: string,
  service: string,
  slot: number,
): boolean {
  const view = reports.get(node)?.view?.services.find(({ name }) => name === service);
  return (
    view?.instances.some(
      (one) =>
        one.slot === slot &&
        ((one.state === "running" && (one.health === "none" || one.health === "healthy")) ||
          (one.state === "exited" && one.exitCode === 0)),
    ) === true
  );
}
