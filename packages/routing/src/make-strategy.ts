// SPDX-License-Identifier: Apache-2.0
import type { Locality } from "@fairlead/protocol/agent.ts";
import type { Slot, Strategy } from "./endpoint.ts";
import { HashRing } from "./hash-ring.ts";
import { NearFirst } from "./near-first.ts";
import type { Policy } from "./policy.ts";
import { TakeTurns } from "./take-turns.ts";
import { TwoChoices } from "./two-choices.ts";

/** The strategy of a policy. `known`: every instance, in the pool or not. */
export function makeStrategy(
  policy: Policy,
  here: Locality,
  known: () => Iterable<Slot>,
): Strategy {
  switch (policy.strategy) {
    case "round-robin":
      return new TakeTurns(false);
    case "least-requests":
      return new TakeTurns(true);
    case "random-two":
      return new TwoChoices("load");
    case "ewma":
      return new TwoChoices("latency");
    case "locality":
      return new NearFirst(here, policy.spillShare, known);
    case "hash":
      return new HashRing(policy.hashBound, known);
  }
}
