// SPDX-License-Identifier: Apache-2.0
// Agents of other nodes, by all the ways in which this one knows them. Who falls silent is kept for a while as offline,
// so that people see who is missing; who leaves is forgotten. Time comes in as an argument.
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";

/** How an agent is known: the kind of a discovery. */
export type Source = "registry" | "multicast" | "seeds";

export interface Neighbour {
  readonly record: AgentRecord;
  readonly source: Source;
  readonly offlineSinceMs?: number;
}

/** What a change meant: nothing to tell is undefined. */
export type Turn = "came" | "back" | "left" | "offline" | undefined;

export interface Neighbours {
  take(source: Source, change: AgentChange, nowMs: number): Turn;
  /** A watch begins anew: who is not among these ids left while nobody watched. */
  keepOnly(source: Source, ids: ReadonlySet<string>): void;
  /** Forgets those who have been offline for long. */
  sweep(nowMs: number): void;
  list(): readonly Neighbour[];
}

interface Known {
  record: AgentRecord;
  readonly sources: Set<Source>;
  lastSource: Source;
  offlineSinceMs: number | undefined;
}

/** Of several ways the one that is told. */
const NEAREST_FIRST: readonly Source[] = ["multicast", "seeds", "registry"];
const OFFLINE_KEPT_MS = 600_000;
const OFFLINE_MAX = 1_000;

/** Nobody is known yet. */
export function createNeighbours(): Neighbours {
  const agents = new Map<string, Known>();

  function welcome(source: Source, record: AgentRecord): Turn {
    const known = agents.get(record.id);
    if (known === undefined) {
      const sources = new Set([source]);
      agents.set(record.id, { record, sources, lastSource: source, offlineSinceMs: undefined });
      return "came";
    }
    const wasOffline = known.offlineSinceMs !== undefined;
    known.sources.add(source);
    known.record = record;
    known.lastSource = source;
    known.offlineSinceMs = undefined;
    return wasOffline ? "back" : undefined;
  }

  function part(source: Source, change: AgentChange & { type: "gone" }, nowMs: number): Turn {
    const known = agents.get(change.agent.id);
    if (known === undefined || !known.sources.delete(source)) return undefined;
    if (change.reason !== "expired") {
      // It said so itself, which counts for every way.
      agents.delete(change.agent.id);
      return "left";
    }
    if (known.sources.size > 0) return undefined;
    known.offlineSinceMs = nowMs;
    return "offline";
  }

  return {
    take: (source, change, nowMs) =>
      change.type === "gone" ? part(source, change, nowMs) : welcome(source, change.agent),
    keepOnly(source, ids) {
      for (const [id, { sources }] of agents)
        if (!ids.has(id) && sources.delete(source) && sources.size === 0) agents.delete(id);
    },
    sweep(nowMs) {
      const offline = [...agents].filter(([, { offlineSinceMs }]) => offlineSinceMs !== undefined);
      const tooMany = offline.length - OFFLINE_MAX;
      offline
        .sort(([, a], [, b]) => (a.offlineSinceMs ?? 0) - (b.offlineSinceMs ?? 0))
        .forEach(([id, { offlineSinceMs = nowMs }], at) => {
          if (at < tooMany || nowMs - offlineSinceMs > OFFLINE_KEPT_MS) agents.delete(id);
        });
    },
    list: () =>
      [...agents.values()].map(({ record, sources, lastSource, offlineSinceMs }) => ({
        record,
        source: NEAREST_FIRST.find((source) => sources.has(source)) ?? lastSource,
        ...(offlineSinceMs === undefined ? {} : { offlineSinceMs }),
      })),
  };
}
