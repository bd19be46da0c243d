// SPDX-License-Identifier: Apache-2.0
// The node's methods by which agents see and move containers: `$engine/list` and `$engine/act`.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import type { FabricError } from "@fairlead/fabric/errors.ts";
import type { HubMethod } from "@fairlead/fabric/hub.ts";
import { encodeJson, parseJson } from "@fairlead/fabric/json.ts";
import { ActOnContainerRequest, ListContainersRequest } from "@fairlead/protocol/fabric.ts";
import type { AgentActs } from "./fabric.ts";

/** Gives up when the caller does. */
function createGiveUp(conversation: Conversation): AbortSignal {
  const ending = new AbortController();
  conversation.handlers = {
    onItem: (payload) => conversation.consumed(payload.length),
    onEnd: () => undefined,
    onCancel: (error) => ending.abort(error),
    onRoom: () => undefined,
  };
  return ending.signal;
}

/** The methods over whoever acts; `convert` makes an error one for the wire. */
export function createActMethods(
  acts: AgentActs,
  convert: (thrown: unknown) => FabricError,
): ReadonlyMap<string, HubMethod> {
  return new Map<string, HubMethod>([
    [
      "$engine/list",
      (conversation, { scope, name }) => {
        const request = parseJson(conversation.first, ListContainersRequest);
        try {
          const containers = acts.list({ scope, name }, request);
          conversation.end(encodeJson({ containers }));
        } catch (thrown) {
          throw convert(thrown);
        }
      },
    ],
    [
      "$engine/act",
      (conversation, { scope, name }) => {
        const request = parseJson(conversation.first, ActOnContainerRequest);
        const signal = createGiveUp(conversation);
        void acts.act({ scope, name }, request, signal).then(
          (container) => conversation.end(encodeJson(container)),
          (thrown: unknown) => {
            if (!signal.aborted) conversation.fail(convert(thrown));
          },
        );
      },
    ],
  ]);
}
