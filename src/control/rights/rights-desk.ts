// SPDX-License-Identifier: Apache-2.0
// What others may ask about the rights of agents on this node.
import type {
  RightsGrant,
  RightsQuestion,
  RightsRequest,
  RightsVerdict,
  RightsView,
} from "@fairlead/protocol/rights.ts";
import type { AskedBy } from "#control/topologies.ts";

/** Safe for concurrent use. What changes is a decision, and is kept before it holds; in a fleet it holds on all its nodes. */
export interface RightsDesk {
  /** By scope and name. */
  list(): readonly RightsView[];
  /** In place of the set of that scope and name. From the first set of a scope on, what none permits is refused. Throws FL2101. */
  apply(request: RightsRequest, by: AskedBy): Promise<RightsView>;
  /** A scope without any set is free. Throws FL0757 `no-rights`. */
  remove(scope: string, name: string, by: AskedBy): Promise<void>;
  /** What would be decided now; nothing is counted or written. */
  test(question: RightsQuestion): RightsVerdict;
  /** Says yes to what policies want a person to be asked, for a while. */
  grant(grant: RightsGrant, by: AskedBy): Promise<RightsVerdict>;
  /** Why they may be older than the fleet's. */
  readonly problem: string | undefined;
}

/** Follows what other nodes change. */
export interface RightsLoop {
  run(signal: AbortSignal): Promise<void>;
}

/** What is asked before an agent's call or message is passed on. */
export interface RightsJudge {
  /** Whether a scope has rights at all. */
  governs(scope: string): boolean;
  /** False until a node that has just entered a fleet has read its rights: nothing passes until then. */
  readonly isKnown: boolean;
  /** Undefined lets it through; else why it is not. */
  judge(question: RightsQuestion): RightsVerdict | undefined;
  /** The same without counting it, and without a word to anybody. */
  look(question: RightsQuestion): RightsVerdict | undefined;
  /** Calls back with a scope that has rights from now on, or none any more; undefined for all scopes. */
  onGoverned(listener: (scope: string | undefined) => void): void;
}
