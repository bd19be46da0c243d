// SPDX-License-Identifier: Apache-2.0
// Tells who asks how this agent chooses whom it calls: the last choices are here and nowhere else.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Router } from "./router.ts";

/** The method: `{ to: NAME }` is answered with a RouteAnswer of the protocol. */
export const ROUTE = "$route";

/** Answers with every target that is called so, or has candidates of that name. Throws `invalid_argument`. */
export function answerRoute(conversation: Conversation, router: Router): void {
  const asked = decodeJson(conversation.first);
  const to = typeof asked === "object" && asked !== null && "to" in asked ? asked.to : undefined;
  if (typeof to !== "string")
    throw new FabricError("invalid_argument", `${ROUTE} is asked as {"to":"NAME"}`);
  conversation.end(encodeJson({ routes: router.explainAll(to), links: router.explainLinks(to) }));
}
