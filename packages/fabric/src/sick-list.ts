// SPDX-License-Identifier: Apache-2.0
// Agents whose container is ill, whatever they say of themselves: nobody routes to them until it is well again.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Registry } from "./registry.ts";

export interface SickList {
  /** The record as others may see it; `own` is what the agent says of its health. */
  judge(record: AgentRecord): AgentRecord;
  /** Replaces the list of ids; records that change are told to their watchers. */
  set(ids: ReadonlySet<string>): void;
}

/** Makes an empty list over a registry. */
export function createSickList(registry: Registry): SickList {
  let sick: ReadonlySet<string> = new Set();
  /** What agents that are on the list say of themselves. */
  const own = new Map<string, boolean>();
  return {
    judge(record) {
      if (!sick.has(record.id)) return record;
      own.set(record.id, record.healthy);
      return { ...record, healthy: false };
    },
    set(ids) {
      const before = sick;
      sick = ids;
      for (const id of before) {
        const record = ids.has(id) ? undefined : registry.get(id);
        if (record !== undefined) registry.put({ ...record, healthy: own.get(id) ?? true });
        if (!ids.has(id)) own.delete(id);
      }
      for (const id of ids) {
        const record = before.has(id) ? undefined : registry.get(id);
        if (record === undefined) continue;
        own.set(id, record.healthy);
        registry.put({ ...record, healthy: false });
      }
    },
  };
}
