// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTransports } from "@fairlead/fabric/memory-transport.ts";
import { createSigner } from "@fairlead/fabric/signer.ts";
import { issueTicket } from "@fairlead/fabric/ticket.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import type { JoinAnswer } from "@fairlead/protocol/fabric.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import { Credentials } from "./credentials.ts";
import { Peers } from "./peers.ts";

const SCOPE = "talk";
const node = createSigner("key of the scope");

/** An agent's peers, as the node of its scope vouches for it; all are dialled as said. */
function createPeers(name: string, dialPeer: () => Promise<Transport>): Peers {
  const self = { id: `${name}.1`, name, scope: SCOPE };
  const credentials: Credentials = new Credentials({ ...self, answer: () => answer });
  const answer: JoinAnswer = {
    node: { id: "n", name: "n" },
    scope: SCOPE,
    key: node.publicKey,
    ticket: issueTicket(node, self, credentials.publicKey),
  };
  const environment = {
    dialNode: () => Promise.reject(new Error("there is no node")),
    dialPeer,
    nowMs: Date.now,
    sleep: () => Promise.resolve(),
    random: () => 0,
  };
  return new Peers({ environment, self, credentials, accept: () => undefined });
}

test("a peer that is not reached soon is called through the node, until the way to it is there", async () => {
  const dialled = Promise.withResolvers<Transport>();
  const peers = createPeers("a", () => dialled.promise);
  const record = recordOf("b", { id: "b.1", scope: SCOPE, addresses: ["10.0.0.2:7"] });
  assert.equal(await peers.reach(record), undefined, "nobody answers there");
  const before = performance.now();
  assert.equal(await peers.reach(record), undefined);
  assert.ok(performance.now() - before < 1_000, "the next one does not wait again");

  const [near, far] = createMemoryTransports();
  const other = createPeers("b", () => dialled.promise);
  other.accept(far);
  dialled.resolve(near);
  while (peers.get("b.1") === undefined) await new Promise(setImmediate);
  assert.equal(await peers.reach(record), peers.get("b.1"));
  peers.close();
  other.close();
});
