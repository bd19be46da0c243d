// SPDX-License-Identifier: Apache-2.0
// Who is who in a fabric: nobody takes another's name, calls or voice.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeJson } from "@fairlead/fabric/json.ts";
import { Link } from "@fairlead/fabric/link.ts";
import type { JoinRequest } from "@fairlead/protocol/fabric.ts";
import { z } from "zod";
import { contract, rpc } from "./contract.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";
import { nodeMethod } from "./node-session.ts";

const vault = contract("vault", "1.0.0", { open: rpc({ in: z.object({}), out: z.string() }) });

const RECORD: JoinRequest = {
  kind: "agent",
  addresses: [],
  contracts: [{ name: "vault", version: "1.0.0", methods: ["open"] }],
  skills: [],
  subscriptions: [],
  version: "1.0.0",
  tags: {},
  locality: {},
  load: 0,
  draining: false,
  healthy: true,
  ttlMs: 5_000,
};

interface Who {
  readonly id: string;
  readonly name: string;
}

/** A link to the node as somebody would make it who writes the protocol by hand; answers every call with its name. */
async function linkAs(fabric: FabricUnderTest, { id, name }: Who): Promise<Link> {
  const link = new Link({
    transport: await fabric.dial(),
    dialled: true,
    self: { id, name, scope: "default" },
    accept: (conversation) => conversation.end(encodeJson(name)),
  });
  await link.ready;
  return link;
}

/** Resolves with the error of joining; undefined when the node took it. */
function joinAs(link: Link, record: object): Promise<string | undefined> {
  const joining = link.open(nodeMethod("$node/join", true), { payload: encodeJson(record) });
  return new Promise((resolve) => {
    joining.handlers = {
      onItem: () => resolve(undefined),
      onEnd: ({ message }) => resolve(message),
      onCancel: (error) => resolve(error.message),
      onRoom: () => undefined,
    };
  });
}

/** Declares the tests; each opens a fabric of its own. */
export function testIdentity(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`who is who in a fabric ${name}`, () => {
    test("an id that could be a name, or belongs to another's, is refused", async () => {
      await using fabric = await open();
      const victim = await fabric.join({ name: "victim" });
      await victim.serve(vault, { open: () => "victim" });
      for (const id of ["victim", "evil", "victim.1", "evil.", "evil.1.2", "evil.UP", ""])
        await assert.rejects(linkAs(fabric, { id, name: "evil" }), /is no id of evil/, id);
      await assert.rejects(linkAs(fabric, { id: "a/b.1", name: "a/b" }), /the name of no agent/);
      const link = await linkAs(fabric, { id: victim.id, name: "victim" });
      assert.match((await joinAs(link, RECORD)) ?? "", /has joined already/);
      link.close();
      const evil = await linkAs(fabric, { id: "evil.1", name: "evil" });
      assert.equal(await joinAs(evil, RECORD), undefined);
      const caller = await fabric.join({ name: "caller" });
      for (let call = 0; call < 4; call++)
        assert.equal(await caller.call("victim", "vault/open", {}), "victim");
      assert.equal(await caller.call("evil.1", "vault/open", {}), "evil");
      await assert.rejects(caller.call("victim.1", "vault/open", {}), { code: "not_found" });
      evil.close();
    });
  });
}
