// SPDX-License-Identifier: Apache-2.0
import type { NodeAction, NodeRecord } from "@fairlead/protocol/node.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { readReason } from "./send-action.ts";

const SAID: Readonly<Record<NodeAction, string>> = {
  cordon: "is cordoned: nothing new is to be placed on it",
  uncordon: "takes part in placement again",
  drain: "is draining: what runs on it is to go elsewhere",
};

/** Says something of the node that the command line names. */
export async function markNode(context: Context, action: NodeAction): Promise<number> {
  const [node = ""] = context.parsed.arguments;
  const path = `nodes/${encodeURIComponent(node)}/actions`;
  const body = { action, ...readReason(context) };
  const { name } = await context.api.call<NodeRecord>("POST", path, { body });
  context.out.note(`${name} ${SAID[action]}`);
  return EXIT.ok;
}
