// SPDX-License-Identifier: Apache-2.0
// Who is left out because its calls fail: several in a row, or far more often than those of the others.
import { openBreaker } from "./breaker.ts";
import type { Slot } from "./endpoint.ts";
import type { Policy } from "./policy.ts";

/** Success rates are compared once in so long. */
export const WINDOW_MS = 10_000;
/** Instances with fewer calls in a window say too little; fewer instances have no usual rate. */
const CALLS_MIN = 20;
const INSTANCES_MIN = 5;
/** Standard deviations below the mean, as Envoy has it, and at least this share, or 99 % among 100 % would be an outlier. */
const DEVIATIONS = 1.9;
const DIFFERENCE_MIN = 0.05;

/** Whether one more may be left out. */
export function mayEject(slots: Iterable<Slot>, policy: Policy): boolean {
  let [all, open] = [0, 0];
  for (const { breaker } of slots) {
    all++;
    if (breaker === "open") open++;
  }
  return open + 1 <= policy.ejectedShareMax * all;
}

/** Those whose success rate in the window that ends now is out of the usual; begins a new window. */
export function findOutliers(slots: Iterable<Slot>): readonly Slot[] {
  const rated: { readonly slot: Slot; readonly rate: number }[] = [];
  for (const slot of slots) {
    const calls = slot.succeeded + slot.failed;
    if (calls >= CALLS_MIN) rated.push({ slot, rate: slot.succeeded / calls });
    slot.succeeded = 0;
    slot.failed = 0;
  }
  if (rated.length < INSTANCES_MIN) return [];
  const mean = rated.reduce((sum, { rate }) => sum + rate, 0) / rated.length;
  const variance = rated.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rated.length;
  const least = mean - Math.max(DIFFERENCE_MIN, DEVIATIONS * Math.sqrt(variance));
  return rated.filter(({ rate }) => rate < least).map(({ slot }) => slot);
}

/** Leaves out those that are out of the usual, as many as may be. Returns whether any was. */
export function ejectOutliers(
  slots: ReadonlyMap<string, Slot>,
  policy: Policy,
  nowMs: number,
): boolean {
  const outliers = findOutliers(slots.values());
  if (policy.ejectAfter === Infinity) return false;
  let ejected = false;
  for (const slot of outliers) {
    if (slot.breaker !== "closed" || !mayEject(slots.values(), policy)) continue;
    openBreaker(slot, policy, nowMs);
    ejected = true;
  }
  return ejected;
}
