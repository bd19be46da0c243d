// SPDX-License-Identifier: Apache-2.0
// The circuit breaker of one instance: closed, open for a time that doubles, half-open for one call at a time.
import type { Slot } from "./endpoint.ts";
import type { Policy } from "./policy.ts";

const OPEN_MS_MAX = 300_000;
/** Time in which an instance that refused is given twice as many again: it refuses once in about so long. */
const DOUBLE_MS = 1_000;
export const GROW_STEP_MS = 50;
/** From here on the refusal is forgotten. */
const GROWN_MAX = 1e6;
/** What it is given of what it had. Of one call that is none: who has nothing else there leaves it alone for 415 ms. */
const SHRUNK_SHARE = 0.75;

/** How long an instance is left out that was left out so often before. */
export function openFor(ejections: number, policy: Policy): number {
  return Math.max(policy.ejectMs, Math.min(OPEN_MS_MAX, policy.ejectMs * 2 ** ejections));
}

/** Leaves an instance out. */
export function openBreaker(slot: Slot, policy: Policy, nowMs: number): void {
  // Having been well for as long as it was left out, it begins anew.
  if (slot.breaker === "closed" && nowMs - slot.closedAtMs > openFor(slot.ejections, policy))
    slot.ejections = 0;
  slot.openUntilMs = nowMs + openFor(slot.ejections, policy);
  slot.ejections++;
  slot.breaker = "open";
  slot.failuresInARow = 0;
}

/** Lets one call through once the time is over. Returns whether the state has changed. */
export function advanceBreaker(slot: Slot, nowMs: number): boolean {
  if (slot.breaker !== "open" || nowMs < slot.openUntilMs) return false;
  slot.breaker = "half-open";
  // What it was like when it failed would keep calls away that are to show how it is now.
  slot.latencyMs = 0;
  return true;
}

/** It answered: calls pass again, few at first where slow start is on. */
export function closeBreaker(slot: Slot, nowMs: number): void {
  slot.breaker = "closed";
  slot.closedAtMs = nowMs;
  slot.startedAtMs = nowMs;
  slot.failuresInARow = 0;
}

/**
 * It refused a call as it has too many: from now on it gets fewer than it had. A refusal costs both sides nearly as much as a
 * cheap answer, so that an instance that is asked ten times too much would do little else.
 */
export function shrinkLimit(slot: Slot, nowMs: number): void {
  slot.shrunkTo = SHRUNK_SHARE * (slot.inFlight + 1);
  slot.shrunkAtMs = nowMs;
}

/** Calls that may be with it at once. An open breaker holds nothing back where everybody is used for want of others. */
export function limitCalls(slot: Slot, policy: Policy, nowMs: number): number {
  if (slot.breaker === "half-open") return 1;
  const grown = slot.shrunkTo * 2 ** ((nowMs - slot.shrunkAtMs) / DOUBLE_MS);
  return Math.min(policy.inFlightMax, grown < GROWN_MAX ? Math.floor(grown) : Infinity);
}
