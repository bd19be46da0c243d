// SPDX-License-Identifier: Apache-2.0
// The agents there are, and those who watch them. Every way of discovery has one.
import { isDeepStrictEqual } from "node:util";
import type { AgentChange, AgentRecord, GoneReason } from "@fairlead/protocol/agent.ts";
import { FairleadError } from "#base/errors.ts";
import { createAsyncQueue, type AsyncQueue } from "#base/queue.ts";
import { discoveryErrors } from "./errors.ts";

export interface Roster {
  /** Adds a record or puts it in place of the one with its id; false when it is the same. */
  put(record: AgentRecord): boolean;
  /** Takes a record away; nothing happens when there is none of that id. */
  remove(id: string, reason: GoneReason): void;
  find(id: string): AgentRecord | undefined;
  list(): readonly AgentRecord[];
  watch(signal: AbortSignal): AsyncIterable<AgentChange>;
  /** Ends all watches. */
  close(): void;
}

/** Changes that a watcher may be behind, besides one for each agent there is when it begins. */
const BEHIND_MAX = 10_000;

/** An empty roster. */
export function createRoster(): Roster {
  const agents = new Map<string, AgentRecord>();
  const watchers = new Set<AsyncQueue<AgentChange>>();
  let closed = false;

  function tell(change: AgentChange): void {
    for (const watcher of watchers) {
      if (watcher.push(change)) continue;
      watchers.delete(watcher);
      watcher.close(
        new FairleadError(discoveryErrors["discovery-lagged"], "A watcher fell too far behind", {
          facts: { behind: watcher.size },
        }),
      );
    }
  }

  async function* follow(queue: AsyncQueue<AgentChange>): AsyncGenerator<AgentChange> {
    try {
      yield* queue;
    } finally {
      watchers.delete(queue);
    }
  }

  return {
    put(agent) {
      const former = agents.get(agent.id);
      if (former !== undefined && isDeepStrictEqual(former, agent)) return false;
      agents.set(agent.id, agent);
      tell({ type: former === undefined ? "up" : "changed", agent });
      return true;
    },
    remove(id, reason) {
      const agent = agents.get(id);
      if (agent === undefined) return;
      agents.delete(id);
      tell({ type: "gone", agent, reason });
    },
    find: (id) => agents.get(id),
    list: () => [...agents.values()],
    watch(signal) {
      const queue = createAsyncQueue<AgentChange>(agents.size + BEHIND_MAX, signal);
      for (const agent of agents.values()) queue.push({ type: "up", agent });
      // Begun now and not at the first read: what happens in between is not missed.
      watchers.add(queue);
      signal.addEventListener("abort", () => watchers.delete(queue), { once: true });
      if (closed) queue.close();
      return follow(queue);
    },
    close() {
      closed = true;
      for (const watcher of watchers) watcher.close();
      watchers.clear();
    },
  };
}
