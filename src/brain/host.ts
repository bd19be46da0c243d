// SPDX-License-Identifier: Apache-2.0
// Whether this host may have instances of a service: `deploy.placement.constraints` on one node.
import { describeTrait, isAllowed, parseConstraint } from "#model/constraint.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { Gap, Pass } from "./pass.ts";

/**
 * The first constraint that the host does not meet. Of what is none the reader of the file has warned. Nothing that runs
 * is touched: it says only that no instance is made here.
 */
export function findHostGap({ facts }: Pass, service: ServiceIntent): Gap | undefined {
  for (const text of service.constraints) {
    const constraint = parseConstraint(text);
    if (constraint === undefined) continue;
    if (facts.node === undefined)
      return {
        reason: `waits for the engine to say what it is, for the constraint ${constraint.text}`,
        final: false,
      };
    if (!isAllowed(constraint, facts.node))
      return {
        reason: `the constraint ${constraint.text} is not met: ${describeTrait(constraint, facts.node)}`,
        final: true,
      };
  }
  return undefined;
}
