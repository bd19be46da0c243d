// SPDX-License-Identifier: Apache-2.0
// For tests: a peer that keeps to no rule but those that it writes itself.
import { toError } from "@fairlead/fabric/conversation.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import { Link, type LinkOptions } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { JoinAnswer, JoinRequest } from "@fairlead/protocol/fabric.ts";
import { JOINING } from "@fairlead/protocol/testing/record-of.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";

/** What a hand-written agent says of itself. */
export const RECORD: JoinRequest = {
  ...JOINING,
  contracts: [{ name: "vault", version: "1.0.0", methods: ["open"] }],
};

interface Who {
  readonly id: string;
  readonly name: string;
  readonly scope?: string;
}

interface Way {
  /** Address of the agent to dial; the node by default. */
  readonly to?: string;
  readonly ticket?: string;
  readonly accept?: LinkOptions["accept"];
}

/** A link as somebody would make it who writes the protocol by hand; answers every call with its name by default. */
export async function linkAs(fabric: FabricUnderTest, who: Who, way: Way = {}): Promise<Link> {
  const { id, name, scope = "default" } = who;
  const link = new Link({
    transport: await fabric.dial(way.to),
    dialled: true,
    self: { id, name, scope, ...(way.ticket === undefined ? {} : { ticket: way.ticket }) },
    accept: way.accept ?? ((conversation) => conversation.end(encodeJson(name))),
  });
  await link.ready;
  return link;
}

/** Resolves with what the node answered. Rejects with why it did not take it. */
export function joinAs(link: Link, record: JoinRequest): Promise<JoinAnswer> {
  const joining = link.open(nodeOpen("$node/join", true), { payload: encodeJson(record) });
  return new Promise((resolve, reject) => {
    joining.handlers = {
      onItem: (item) => resolve(decodeJson(item) as JoinAnswer),
      onEnd: (status) => reject(toError(status)),
      onCancel: reject,
      onRoom: () => undefined,
    };
  });
}
