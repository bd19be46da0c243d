// SPDX-License-Identifier: Apache-2.0
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import {
  MARKS_OF,
  type NodeFarewell,
  type NodeRecord,
  type NodeView,
} from "@fairlead/protocol/node.ts";
import type { TokenView } from "@fairlead/protocol/tokens.ts";
import type { FleetOperations } from "#control/fleet-operations.ts";

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
const NODE: NodeRecord = {
  id: "node-b-1",
  name: "node-b",
  incarnation: 1,
  address: "10.0.0.6",
  port: 7_120,
  version: "0.1.0",
  os: "linux",
  arch: "x86_64",
  cpuCount: 2,
  memoryBytes: 2 ** 30,
  labels: {},
  devices: {},
  ...MARKS_OF.uncordon,
};
/** The node that is asked, and another one that does not answer. */
export const TWO_NODES: readonly NodeView[] = [
  { ...NODE, id: "node-a-1", name: "node-a", state: "alive", reason: "", self: true },
  { ...NODE, state: "suspect", reason: "silent for 1.3s", rttMs: 0.42, self: false },
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
    revokeIdentity: (node, by) => answer([IDENTITY], "revokeIdentity", node, by),
  };
}
