// SPDX-License-Identifier: Apache-2.0
import type { AgentRecord } from "@fairlead/protocol/agent.ts";

/** A record with all that is needed; `over` replaces parts of it. */
export function buildRecord(id: string, over: Partial<AgentRecord> = {}): AgentRecord {
  return {
    id,
    name: "planner",
    scope: "lab",
    kind: "agent",
    addresses: ["10.0.0.5:7000"],
    contracts: [{ name: "plan", version: "1.0.0", methods: ["make"] }],
    skills: ["planning"],
    subscriptions: [],
    version: "1.0.0",
    tags: { tier: "a" },
    locality: { zone: "a" },
    load: 0,
    draining: false,
    healthy: true,
    ttlMs: 10_000,
    joinedAtMs: 1_800_000_000_000,
    ...over,
  };
}
