// SPDX-License-Identifier: Apache-2.0
// Who is there, as one node sees it. Changes are told to watchers in the order in which they happen.
import type { AgentChange, AgentRecord, GoneReason } from "@fairlead/protocol/agent.ts";
import { isAgentId } from "@fairlead/protocol/names.ts";

/** What to look for; all that is named must match. */
export interface AgentFilter {
  readonly scope?: string | undefined;
  readonly name?: string | undefined;
  readonly kind?: AgentRecord["kind"] | undefined;
  readonly skill?: string | undefined;
  /** Name of a contract. */
  readonly contract?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

export interface Registry {
  readonly size: number;
  get(id: string): AgentRecord | undefined;
  /** Adds or replaces by id. */
  put(record: AgentRecord): void;
  remove(id: string, reason: GoneReason): void;
  list(filter?: AgentFilter): readonly AgentRecord[];
  /** Instances of a name; of an id, that one. */
  named(scope: string, name: string): readonly AgentRecord[];
  /** Calls `listener` for each change until the returned function is called. */
  watch(listener: (change: AgentChange) => void): () => void;
}

/** Whether a record is what a filter asks for. */
export function matchesFilter(record: AgentRecord, filter: AgentFilter): boolean {
  if (filter.scope !== undefined && record.scope !== filter.scope) return false;
  if (filter.name !== undefined && record.name !== filter.name) return false;
  if (filter.kind !== undefined && record.kind !== filter.kind) return false;
  if (filter.skill !== undefined && !record.skills.includes(filter.skill)) return false;
  if (
    filter.contract !== undefined &&
    !record.contracts.some((contract) => contract.name === filter.contract)
  )
    return false;
  return Object.entries(filter.tags ?? {}).every(([key, value]) => record.tags[key] === value);
}

/** Makes an empty registry. */
export function createRegistry(): Registry {
  const records = new Map<string, AgentRecord>();
  const byName = new Map<string, Map<string, AgentRecord>>();
  const listeners = new Set<(change: AgentChange) => void>();
  const keyOf = (scope: string, name: string): string => `${scope}/${name}`;
  function tell(change: AgentChange): void {
    for (const listener of listeners) listener(change);
  }
  function unname(record: AgentRecord): void {
    const key = keyOf(record.scope, record.name);
    const group = byName.get(key);
    group?.delete(record.id);
    if (group?.size === 0) byName.delete(key);
  }
  return {
    get size() {
      return records.size;
    },
    get: (id) => records.get(id),
    put(record) {
      const before = records.get(record.id);
      if (before !== undefined) unname(before);
      records.set(record.id, record);
      const key = keyOf(record.scope, record.name);
      const group = byName.get(key) ?? new Map<string, AgentRecord>();
      byName.set(key, group.set(record.id, record));
      tell({ type: before === undefined ? "up" : "changed", agent: record });
    },
    remove(id, reason) {
      const agent = records.get(id);
      if (agent === undefined) return;
      records.delete(id);
      unname(agent);
      tell({ type: "gone", agent, reason });
    },
    list: (filter = {}) => [...records.values()].filter((record) => matchesFilter(record, filter)),
    named(scope, name) {
      if (!isAgentId(name)) return [...(byName.get(keyOf(scope, name))?.values() ?? [])];
      const record = records.get(name);
      return record?.scope === scope ? [record] : [];
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
