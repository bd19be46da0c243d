// SPDX-License-Identifier: Apache-2.0
// Passes on what is for another member of the topology.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { relayConversation } from "@fairlead/fabric/relay.ts";
import type { Router } from "./router.ts";

/**
 * Finds the next link and joins the conversation to it; what comes meanwhile is kept, at most one window. Throws
 * `unauthenticated` for what does not prove who asks: it would seem to come from here.
 */
export function passOn(conversation: Conversation, router: Router): void {
  const { hopsMax } = router;
  const target = conversation.open.target.split("/").at(-1) ?? "";
  if (hopsMax === undefined) {
    throw new FabricError("permission_denied", "this agent passes nothing on", {
      reason: "no-link",
    });
  }
  if (conversation.open.proof === "") {
    throw new FabricError("unauthenticated", "what is to be passed on does not prove who asks", {
      reason: "caller",
    });
  }
  const missed: (() => void)[] = [];
  let canceled = false;
  conversation.handlers = {
    onItem: (...item) => void missed.push(() => conversation.handlers.onItem(...item)),
    onEnd: (...end) => void missed.push(() => conversation.handlers.onEnd(...end)),
    onCancel: () => void (canceled = true),
    onRoom: () => undefined,
  };
  const join = async (): Promise<void> => {
    const route = await router.route({ agent: target }, undefined);
    route.done("canceled");
    if (canceled) return;
    const open = { ...conversation.open, target: route.target, caller: "" };
    const { meter } = route;
    if (conversation.first !== undefined) meter?.count();
    const limit = { hopsMax, counts: true };
    relayConversation(conversation, route.link, open, limit, () => meter?.count());
    for (const replay of missed) replay();
  };
  join().catch((thrown: unknown) => conversation.refuse(FabricError.from(thrown)));
}
