// SPDX-License-Identifier: Apache-2.0
// Tells a peer who is in a registry, and each change as it comes; one that reads slowly gets the latest of each agent.
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import { encodeJson } from "./json.ts";
import type { Registry } from "./registry.ts";
import { tellOnly } from "./tell-only.ts";

export interface FeedOptions {
  readonly registry: Registry;
  readonly isWanted: (record: AgentRecord) => boolean;
  /** What is told of a record; it itself by default. */
  readonly show?: (record: AgentRecord) => AgentRecord;
  /** Sends what has to be told first; false while nobody may be told anything. */
  readonly before?: () => boolean;
  /** Called once when nobody is told any more. */
  readonly onStop?: () => void;
}

/** Bytes of a change, made once for all who watch. */
const encoded = new WeakMap<AgentChange, Buffer>();

function encodeChange(change: AgentChange): Buffer {
  const known = encoded.get(change);
  if (known !== undefined) return known;
  const bytes = encodeJson(change);
  encoded.set(change, bytes);
  return bytes;
}

/** Begins; returns what is to be called when `before` may have something new to say. */
export function feedChanges(conversation: Conversation, options: FeedOptions): () => void {
  const { registry, isWanted, show, before, onStop } = options;
  const shown = (change: AgentChange): AgentChange => {
    const agent = show?.(change.agent) ?? change.agent;
    return agent === change.agent ? change : { ...change, agent };
  };
  const waiting = new Map<string, AgentChange>();
  let told = false;
  const sendAll = (): void => {
    if (before?.() === false) return;
    for (const [id, change] of waiting) {
      if (!conversation.trySend(encodeChange(shown(change)))) return;
      waiting.delete(id);
    }
    // Marks the end of what was there already.
    if (!told) told = conversation.trySend(encodeJson({ type: "ready" }));
  };
  /** A watcher that cannot be told, as its limit is too low, must not be the fault of whoever is told of. */
  const send = (): void => {
    try {
      sendAll();
    } catch (thrown) {
      stop();
      conversation.fail(FabricError.from(thrown, "internal"));
    }
  };
  const stopChanges = registry.watch((change) => {
    if (!isWanted(change.agent)) return;
    waiting.delete(change.agent.id);
    waiting.set(change.agent.id, change);
    send();
  });
  const stop = (): void => {
    stopChanges();
    onStop?.();
  };
  tellOnly(conversation, { send, stop });
  for (const agent of registry.list().filter(isWanted))
    waiting.set(agent.id, { type: "up", agent });
  send();
  return send;
}
