// SPDX-License-Identifier: Apache-2.0
// The agents of one other node, as that node tells of them. They live as long as the link to it does; while the node is
// suspected they count as ill, so that nothing new goes there.
import { AgentRecord, type AgentChange } from "@fairlead/protocol/agent.ts";
import type { Conversation } from "./conversation.ts";
import { decodeJson } from "./json.ts";
import type { Link } from "./link.ts";
import { NODE_METHOD } from "./node-door.ts";
import { nodeOpen } from "./node-open.ts";
import type { Registry } from "./registry.ts";

export interface AgentMirrorOptions {
  /** Name of the other node. */
  readonly node: string;
  /** Where its agents are put, beside those of others. */
  readonly directory: Registry;
  /** Whether an address that an agent there announces leads to it from here. */
  readonly isReachable: (address: string) => boolean;
}

export interface AgentMirror {
  /** Follows what is told at the other end of a link, from now on of this one only. */
  follow(link: Link): void;
  /** Whether the node may be lost. */
  setSuspect(isSuspect: boolean): void;
  /** Looks again at which addresses lead there. */
  refresh(): void;
  /** The link is gone, and with it all who joined there. */
  clear(): void;
}

/** Nobody is known before a link is followed. */
export function createAgentMirror(options: AgentMirrorOptions): AgentMirror {
  const { node, directory, isReachable } = options;
  /** As they were told. */
  const told = new Map<string, AgentRecord>();
  let watching: Conversation | undefined;
  let isSuspect = false;

  function put(record: AgentRecord): void {
    const { healthy, addresses } = record;
    const shown = {
      ...record,
      healthy: healthy && !isSuspect,
      addresses: addresses.filter(isReachable),
    };
    directory.put(shown);
  }

  function drop(id: string, reason: "left" | "expired" | "connection-lost" | "replaced"): void {
    if (told.delete(id)) directory.remove(id, reason);
  }

  function take(change: AgentChange): void {
    const parsed = AgentRecord.safeParse({ ...change.agent, node });
    if (!parsed.success) return;
    const { data: record } = parsed;
    const known = directory.get(record.id);
    // An agent is where its own node says, not where another one does.
    if (known !== undefined && !told.has(record.id)) return;
    if (change.type === "gone") return drop(record.id, change.reason);
    told.set(record.id, record);
    put(record);
  }

  return {
    follow(link) {
      const stale = new Set(told.keys());
      const watch = link.open(nodeOpen(NODE_METHOD.agents, true));
      const former = watching;
      watching = watch;
      watch.handlers = {
        onItem(payload) {
          watch.consumed(payload.length);
          if (watching !== watch) return;
          const item = decodeJson(payload) as AgentChange | { readonly type: "ready" };
          if (item.type === "ready") {
            for (const id of stale) drop(id, "left");
            stale.clear();
            return;
          }
          stale.delete(item.agent.id);
          take(item);
        },
        onEnd: () => undefined,
        onCancel: () => undefined,
        onRoom: () => undefined,
      };
      if (former !== undefined && !former.over) former.end();
    },
    setSuspect(next) {
      if (next === isSuspect) return;
      isSuspect = next;
      for (const record of told.values()) put(record);
    },
    refresh() {
      for (const record of told.values()) {
        const before = directory.get(record.id)?.addresses.join(" ");
        if (before !== record.addresses.filter(isReachable).join(" ")) put(record);
      }
    },
    clear() {
      watching = undefined;
      for (const id of told.keys()) drop(id, "connection-lost");
    },
  };
}
