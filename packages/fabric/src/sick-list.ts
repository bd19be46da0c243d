// SPDX-License-Identifier: Apache-2.0
// Agents whose container is ill or about to be stopped, whatever they say of themselves: nobody routes to them.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Registry } from "./registry.ts";

export interface SickList {
  /** The record as others may see it; `own` is what the agent says of its health. */
  judge(record: AgentRecord): AgentRecord;
  /** Replaces the ids of those that are ill, and of those that leave; records that change are told to their watchers. */
  set(sick: ReadonlySet<string>, leaving?: ReadonlySet<string>): void;
}

type Said = Pick<AgentRecord, "healthy" | "draining">;

const NOBODY: ReadonlySet<string> = new Set();

/** Makes an empty list over a registry. */
export function createSickList(registry: Registry): SickList {
  let sick = NOBODY;
  let leaving = NOBODY;
  /** What agents that are on a list say of themselves. */
  const own = new Map<string, Said>();

  const isListed = (id: string): boolean => sick.has(id) || leaving.has(id);

  const mark = (record: AgentRecord): AgentRecord => ({
    ...record,
    healthy: record.healthy && !sick.has(record.id),
    draining: record.draining || leaving.has(record.id),
  });

  function look(id: string): void {
    const record = registry.get(id);
    const { healthy, draining } = own.get(id) ?? record ?? {};
    if (record === undefined || !isListed(id)) own.delete(id);
    if (record === undefined || healthy === undefined || draining === undefined) return;
    if (isListed(id)) own.set(id, { healthy, draining });
    const next = mark({ ...record, healthy, draining });
    if (next.healthy !== record.healthy || next.draining !== record.draining) registry.put(next);
  }

  return {
    judge(record) {
      if (!isListed(record.id)) return record;
      own.set(record.id, { healthy: record.healthy, draining: record.draining });
      return mark(record);
    },
    set(nextSick, nextLeaving = NOBODY) {
      const ids = new Set([...sick, ...leaving, ...nextSick, ...nextLeaving]);
      sick = nextSick;
      leaving = nextLeaving;
      for (const id of ids) look(id);
    },
  };
}
