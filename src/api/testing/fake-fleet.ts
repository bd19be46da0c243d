// SPDX-License-Identifier: Apache-2.0
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { MARKS_OF, type NodeFarewell, type NodeView } from "@fairlead/protocol/node.ts";
import type { TokenView } from "@fairlead/protocol/tokens.ts";
import type { FleetOperations } from "#control/fleet-operations.ts";
import { buildNodeRecord, buildNodeView } from "#model/testing/nodes.ts";

const TOKEN: TokenView = {
  id: "tok_1",
  state: "valid",
  usesLeft: 1,
  usesMax: 1,
  createdAtMs: 0,
  expiresAtMs: 3_600_000,
  createdBy: "ana on node-a",
  nodes: [],
};
const NODE = buildNodeRecord("node-b");
/** The node that is asked, and another one that does not answer. */
export const TWO_NODES: readonly NodeView[] = [
  buildNodeView("node-a", { self: true }),
  buildNodeView("node-b", { state: "suspect", reason: "silent for 1.3s", rttMs: 0.42 }),
];
const FAREWELL: NodeFarewell = {
  id: NODE.id,
  name: NODE.name,
  incarnation: 1,
  how: "left",
  by: "ana",
  at: NODE.id,
};

const IDENTITY: IdentityView = {
  kind: "node",
  uri: "spiffe://harbour/fairlead/node/node-b",
  state: "valid",
  serial: "5447ec70",
  notAfterMs: 1_700_003_600_000,
};

/** A fleet with one token and one other node. What is asked for is told to `note`. */
export function createFakeFleet(
  note: (name: string, ...args: readonly unknown[]) => void,
): FleetOperations {
  const answer = async <T>(value: T, name: string, ...args: readonly unknown[]): Promise<T> => {
    note(name, ...args);
    return value;
  };
  const created = { fleet: "harbour", endpoints: ["10.0.0.5:2379"], view: TOKEN, text: "flj1_" };
  return {
    createToken: (request, by) => answer(created, "createToken", request, by),
    listTokens: () => answer([TOKEN], "listTokens"),
    revokeToken: (id, by) => answer({ ...TOKEN, id }, "revokeToken", id, by),
    mark: (node, action, by) => answer({ ...NODE, ...MARKS_OF[action] }, "mark", node, action, by),
    remove: (node, by) => answer(FAREWELL, "remove", node, by),
    leave: (by) => answer(FAREWELL, "leave", by),
    listIdentities: () => answer([IDENTITY], "listIdentities"),
    rotateIdentities: (by) => answer([IDENTITY], "rotateIdentities", by),
    hasNode: (node) => TWO_NODES.some(({ name }) => name === node),
    revokeIdentity: (node, by) => answer([IDENTITY], "revokeIdentity", node, by),
  };
}
