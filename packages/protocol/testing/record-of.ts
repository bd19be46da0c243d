// SPDX-License-Identifier: Apache-2.0
// For tests: what agents say of themselves.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { JoinRequest } from "@fairlead/protocol/fabric.ts";

/** The scope of agents in tests. */
export const SCOPE = "lab";

/** What an agent says that has nothing to say. */
export const JOINING: JoinRequest = {
  kind: "agent",
  addresses: [],
  contracts: [],
  skills: [],
  subscriptions: [],
  version: "1.0.0",
  tags: {},
  locality: {},
  load: 0,
  draining: false,
  healthy: true,
  ttlMs: 5_000,
};

let next = 1;

/** An agent that has just joined; each has an id of its own. */
export function recordOf(name: string, more: Partial<AgentRecord> = {}): AgentRecord {
  return { id: `${name}-${next++}`, name, scope: SCOPE, ...JOINING, joinedAtMs: 0, ...more };
}
