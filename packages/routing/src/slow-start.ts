// SPDX-License-Identifier: Apache-2.0

/** What a new instance gets at least, or it would never show what it can do. */
const SHARE_LEAST = 0.1;
/** Weights are renewed so often during a slow start. */
const STEPS = 20;

/** The share of its weight that an instance gets this long after it began: from a tenth to 1, linearly. */
export function rampWeight(ageMs: number, slowStartMs: number): number {
  return ageMs >= slowStartMs ? 1 : Math.max(SHARE_LEAST, ageMs / slowStartMs);
}

/** When to renew the weights next, in ms from now. */
export function stepSlowStart(slowStartMs: number): number {
  return Math.max(1, slowStartMs / STEPS);
}
