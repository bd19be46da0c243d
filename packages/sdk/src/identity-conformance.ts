// SPDX-License-Identifier: Apache-2.0
// Who is who in a fabric: nobody takes another's name, calls or voice.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Open } from "@fairlead/fabric/frame.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import { createSigner } from "@fairlead/fabric/signer.ts";
import { issueTicket, proveCaller, showTicket, vouchForCaller } from "@fairlead/fabric/ticket.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Routes } from "@fairlead/protocol/fabric.ts";
import { z } from "zod";
import { contract, rpc } from "./contract.ts";
import { callOnce } from "./exchange.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";
import { joinAs, linkAs, RECORD } from "./linked-by-hand.ts";

const vault = contract("vault", "1.0.0", { open: rpc({ in: z.object({}), out: z.string() }) });

/** Who the vault says has asked. */
async function ask(link: Link, open: Partial<Open>): Promise<unknown> {
  const asked = { ...nodeOpen("vault/open"), ...open };
  return decodeJson(await callOnce(link, asked, { payload: encodeJson({}) }));
}

async function openVault(fabric: FabricUnderTest, name: string): Promise<AgentRecord> {
  const agent = await fabric.join({ name });
  await agent.serve(vault, { open: (_, { caller }) => `${caller.scope}/${caller.name}` });
  const [record] = await agent.find({ name });
  assert.ok(record !== undefined);
  return record;
}

const isUnauthenticated = { code: "unauthenticated" };

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
      await assert.rejects(joinAs(link, RECORD), /has joined already/);
      link.close();
      const evil = await linkAs(fabric, { id: "evil.1", name: "evil" });
      await joinAs(evil, RECORD);
      const caller = await fabric.join({ name: "caller" });
      for (let call = 0; call < 4; call++)
        assert.equal(await caller.call("victim", "vault/open", {}), "victim");
      assert.equal(await caller.call("evil.1", "vault/open", {}), "evil");
      await assert.rejects(caller.call("victim.1", "vault/open", {}), { code: "not_found" });
      evil.close();
    });

    test("whoever asks in another's name is known by its own", async () => {
      await using fabric = await open();
      const [victim, boss] = [
        await openVault(fabric, "victim"),
        await fabric.join({ name: "boss" }),
      ];
      const who = { id: "evil.1", name: "evil" };
      const signer = createSigner();
      const node = await linkAs(fabric, who);
      const { key, ticket = "" } = await joinAs(node, { ...RECORD, key: signer.publicKey });
      const asBoss = { target: "victim", caller: "default/boss" };
      assert.equal(await ask(node, asBoss), "default/evil");
      for (const proof of [
        "boss.1//x",
        proveCaller(ticket, signer, boss.id, { target: victim.id, method: "vault/open" }),
        proveCaller(ticket, signer, who.id, { target: victim.id, method: "vault/close" }),
        proveCaller(ticket, signer, who.id, { target: boss.id, method: "vault/open" }),
        vouchForCaller(signer, boss.id, { target: victim.id, method: "vault/open" }),
      ])
        await assert.rejects(ask(node, { ...asBoss, proof }), isUnauthenticated, proof);
      const [address] = victim.addresses;
      if (address !== undefined) {
        const shown = showTicket(ticket, signer, who.id, victim.id);
        const direct = await linkAs(fabric, who, { to: address, ticket: shown });
        assert.equal(await ask(direct, { caller: "default/boss" }), "default/evil");
        direct.close();
        const forged = issueTicket(signer, { ...who, scope: "default" }, key);
        for (const bad of ["", ticket, forged, showTicket(ticket, signer, who.id, boss.id)])
          await assert.rejects(linkAs(fabric, who, { to: address, ticket: bad }), /no ticket/);
        const asNode = { to: address, ticket: shown };
        await assert.rejects(linkAs(fabric, { ...who, scope: "" }, asNode), /no ticket/);
      }
      node.close();
    });

    test("a ticket is of no use to those who have seen it", async () => {
      await using fabric = await open();
      const [victim, boss] = [await openVault(fabric, "victim"), await openVault(fabric, "boss")];
      const [toVictim, toBoss] = [victim.addresses[0], boss.addresses[0]];
      if (toVictim === undefined || toBoss === undefined) return;
      const who = { id: "evil.1", name: "evil" };
      const signer = createSigner();
      const node = await linkAs(fabric, who);
      const { ticket = "" } = await joinAs(node, { ...RECORD, key: signer.publicKey });
      const shown = showTicket(ticket, signer, who.id, boss.id);
      const direct = await linkAs(fabric, who, { to: toBoss, ticket: shown });
      const stolen = { to: toVictim, ticket: direct.peer.ticket };
      await assert.rejects(linkAs(fabric, { id: boss.id, name: "boss" }, stolen), /no ticket/);
      direct.close();
      node.close();
    });

    test("what members of a topology pass on is asked by who asked, and goes round no longer than its limit", async () => {
      await using fabric = await open();
      const members = ["a", "b", "c", "d"];
      const wire = (to: string[], from: string[], via: Record<string, string>): Routes => ({
        to,
        from,
        via,
        members,
        hopsMax: 10,
      });
      // A ring that nobody can leave: each believes that the next one leads to d.
      const ring = new Map([
        ["a", wire(["b"], ["c"], { c: "b", d: "b" })],
        ["b", wire(["c"], ["a"], { d: "c" })],
        ["c", wire(["a"], ["b"], { d: "a" })],
        ["d", wire([], [], {})],
      ]);
      fabric.routes.set("default", ring);
      for (const one of ["b", "c", "d"]) await openVault(fabric, one);
      const a = await fabric.join({ name: "a" });
      await a.serve(vault, { open: () => "a" });
      for await (const _ of a.watch())
        if ((await a.find({ contract: "vault" })).length === 4) break;
      assert.equal(await a.call("c", "vault/open", {}), "default/a");
      await assert.rejects(a.call("d", "vault/open", {}), {
        code: "failed_precondition",
        reason: "hop-limit",
        message: /passed on 10 times, the limit is 10/,
      });
    });
  });
}
