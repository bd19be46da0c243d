// SPDX-License-Identifier: Apache-2.0
// What a node does for the other nodes of its fleet: it hands their agents' calls to agents that joined here, and tells who
// did. A call that came from a node goes to no other node: so it cannot go round.
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import { feedChanges } from "./feed-changes.ts";
import type { Link } from "./link.ts";
import type { Registry } from "./registry.ts";
import { HOPS_MAX, relayConversation } from "./relay.ts";

/** Methods of a node that other nodes may call. */
export const NODE_METHOD = {
  /** Who joined there, and each change. */
  agents: "$peer/agents",
  /** What the node says of itself, by key, and each change. */
  state: "$peer/state",
  /** A handle on a group of messages that the node keeps. */
  kept: "$peer/kept",
  /** Answered at once, however many bytes came with it. */
  ping: "$peer/ping",
} as const;

/** Answers a conversation that another node opened. Throws to refuse. */
export type NodeMethod = (conversation: Conversation, link: Link) => void;

export interface NodeDoorOptions {
  /** Who joined here. */
  readonly own: Registry;
  /** Links of those, by id. */
  readonly joined: ReadonlyMap<string, Link>;
  readonly methods: ReadonlyMap<string, NodeMethod>;
}

/** Makes what accepts the conversations of a link to another node. */
export function createNodeDoor(
  options: NodeDoorOptions,
): (conversation: Conversation, link: Link) => void {
  const { own, joined, methods } = options;

  function relay(conversation: Conversation): void {
    const { open } = conversation;
    const [id = ""] = open.target.split("/");
    const link = joined.get(id);
    const scope = open.caller.slice(0, open.caller.indexOf("/"));
    if (link === undefined || own.get(id)?.scope !== scope) {
      throw new FabricError("not_found", `no agent "${id}" in scope ${scope} here`, {
        reason: "no-agent",
        retryable: true,
      });
    }
    relayConversation(conversation, link, open, { hopsMax: HOPS_MAX, counts: false });
  }

  const known = new Map<string, NodeMethod>([
    [NODE_METHOD.ping, (conversation) => conversation.end()],
    [
      NODE_METHOD.agents,
      (conversation) =>
        void feedChanges(conversation, {
          registry: own,
          isWanted: ({ tags }) => tags[FACE_TAG] === undefined,
        }),
    ],
  ]);

  return (conversation, link) => {
    const { target, method } = conversation.open;
    if (target !== "") return relay(conversation);
    const answer = known.get(method) ?? methods.get(method);
    if (answer === undefined)
      throw new FabricError("unimplemented", `the node has no method ${method}`);
    answer(conversation, link);
  };
}
