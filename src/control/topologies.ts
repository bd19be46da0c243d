// SPDX-License-Identifier: Apache-2.0
// What others may ask of the loop that keeps agents wired as their topologies say.
import type {
  ObservedLinks,
  TopologyDeclaration,
  TopologyView,
} from "@fairlead/protocol/topology.ts";
import type { Plan } from "#model/decision.ts";

/** Who asks for a change, and why in their words, for the decision. */
export interface AskedBy {
  readonly actor: string;
  readonly reason?: string;
}

export interface Topologies {
  /** Scopes that have one. */
  list(): readonly string[];
  /** How a scope is wired now; throws FL0709 when it has no topology. */
  view(scope: string): TopologyView;
  /** Who talks to whom in a scope, with a topology or without. */
  observe(scope: string): ObservedLinks;
  /** What declaring would change, without a declaration what removing would (FL0709 when there is none); does nothing. */
  plan(scope: string, declaration: TopologyDeclaration | undefined): Plan;
  /** Declares, or declares anew; the agents are wired before it resolves. */
  declare(scope: string, declaration: TopologyDeclaration, by: AskedBy): Promise<TopologyView>;
  /** From now on everybody may talk to everybody. Throws FL0709 when there is none. */
  remove(scope: string, by: AskedBy): Promise<void>;
}
