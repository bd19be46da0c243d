// SPDX-License-Identifier: Apache-2.0
// What others may ask of the loop that keeps agents wired as their topologies say.
import type { TopologyDeclaration, TopologyView } from "@fairlead/protocol/topology.ts";

export interface Topologies {
  /** Scopes that have one. */
  list(): readonly string[];
  /** How a scope is wired now; throws FL0709 when it has no topology. */
  view(scope: string): TopologyView;
  /** Declares, or declares anew; the agents are wired before it resolves. */
  declare(scope: string, declaration: TopologyDeclaration, actor: string): Promise<TopologyView>;
  /** From now on everybody may talk to everybody. Throws FL0709 when there is none. */
  remove(scope: string, actor: string): Promise<void>;
}
