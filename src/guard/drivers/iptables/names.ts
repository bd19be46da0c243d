// SPDX-License-Identifier: Apache-2.0
// What our chains are called. All begin with the same word, by which they are found again; none is longer than the kernel takes, 28.

/** Of every chain of ours, in any table. */
export const PREFIX = "FAIRLEAD-";

/** `in`: what comes in is judged by it. `out`: what goes out. */
export type Side = "in" | "out";

/** `calls`: packets of who began the conversation; `answers`: those that come back. */
export type Kind = "calls" | "answers";

/** The built-in chains that jump to ours of the same name. */
export const HOOKS = ["INPUT", "OUTPUT"] as const;

/** Where judging by one direction's table begins. */
export function rootOf(side: Side, kind: Kind): string {
  return `${PREFIX}${side}-${kind}`.toUpperCase();
}

/** Where a call goes that may pass, and what no rule let pass. */
export function endOf(side: Side, end: "passed" | "denied"): string {
  return `${PREFIX}${side}-${end}`.toUpperCase();
}
