// SPDX-License-Identifier: Apache-2.0
import type { AgentRecord } from "@fairlead/protocol/agent.ts";

/** The scope of agents in tests. */
export const SCOPE = "lab";

let next = 1;

/** An agent that has just joined. */
export function recordOf(name: string, more: Partial<AgentRecord> = {}): AgentRecord {
  return {
    id: `${name}-${next++}`,
    name,
    scope: SCOPE,
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
    joinedAtMs: 0,
    ...more,
  };
}
