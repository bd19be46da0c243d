// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTransports } from "@fairlead/fabric/memory-transport.ts";
import { Link } from "@fairlead/fabric/link.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import type { Credentials } from "./credentials.ts";
import type { Environment } from "./environment.ts";
import { Peers } from "./peers.ts";

test("a peer that is not reached soon is called through the node, until the way to it is there", async () => {
  const dialled = Promise.withResolvers<Transport>();
  const environment = { nowMs: Date.now, dialPeer: () => dialled.promise };
  const peers = new Peers({
    environment: environment as unknown as Environment,
    self: { id: "a.1", name: "a", scope: "s" },
    credentials: { check: () => undefined, show: () => "" } as unknown as Credentials,
    accept: () => undefined,
  });
  const record = recordOf("b", { id: "b.1", addresses: ["10.0.0.2:7"] });
  assert.equal(await peers.reach(record), undefined, "nobody answers there");
  const before = performance.now();
  assert.equal(await peers.reach(record), undefined);
  assert.ok(performance.now() - before < 1_000, "the next one does not wait again");

  const [near, far] = createMemoryTransports();
  const other = new Link({
    transport: far,
    dialled: false,
    self: { id: "b.1", name: "b", scope: "s" },
    accept: () => undefined,
  });
  dialled.resolve(near);
  await other.ready;
  while (peers.get("b.1") === undefined) await new Promise(setImmediate);
  assert.equal(await peers.reach(record), peers.get("b.1"));
  peers.close();
});
