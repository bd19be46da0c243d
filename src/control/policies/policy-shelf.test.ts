// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScopePolicies } from "@fairlead/protocol/policy.ts";
import { silentLogger } from "#base/logger.ts";
import { settle } from "#control/testing/overlay-node.ts";
import { createStoreDoor } from "#control/testing/store-door.ts";
import type { PolicyInstance } from "#policy/world.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { removePolicy, tellUnread, UNREAD_POLICY, writeRequest } from "./policy-book.ts";
import { createPolicyShelf, type PolicyShelf } from "./policy-shelf.ts";

const clock = createManualClock();
const openMemory = (): Promise<Store> => openStore({ kind: "memory" }, { clock });

async function openFleetStore(identity: string): Promise<Store> {
  const store = await openMemory();
  await store.transact([{ kind: "put", key: "identity", value: identity }]);
  return store;
}

const policiesOf = (scope: string): ScopePolicies => ({
  scope,
  mode: "enforce",
  labels: {},
  policies: [],
});

/** As a later version might write it. */
const newerOf = (scope: string) => ({ ...policiesOf(scope), hours: "9-17" });

function instance(id: string, address: string): PolicyInstance {
  const labels = { role: id };
  return { id, name: id, scope: "shop", service: "web", labels, addresses: [address], ports: [] };
}

interface ShelfNode extends AsyncDisposable {
  readonly shelf: PolicyShelf;
  readonly roll: Set<string>;
}

function startShelf(self: string, store: Store, own: Store): ShelfNode {
  const stopping = new AbortController();
  const nodes = new Set(["a", "b"]);
  const shelf = createPolicyShelf({
    openStore: () => Promise.resolve(store),
    fleet: { self, own, readNodes: () => nodes },
    clock,
    logger: silentLogger,
  });
  const running = shelf.run(stopping.signal);
  return {
    shelf,
    roll: nodes,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

const isRead = ({ shelf }: ShelfNode) => settle("it is read", () => shelf.problem === undefined);
const namesOf = ({ shelf }: ShelfNode): string =>
  shelf
    .listNeighbours()
    .map(({ id, addresses }) => `${id}@${addresses.join()}`)
    .join(" ");

describe("a shelf of policies", () => {
  test("knows who is on other hosts, and not who is here", async () => {
    await using store = await openFleetStore("one");
    await using a = startShelf("a", store, await openMemory());
    await using b = startShelf("b", store, await openMemory());
    await Promise.all([isRead(a), isRead(b)]);
    await a.shelf.tell([instance("x", "10.0.0.1")]);
    await settle("b knows x", () => namesOf(b) === "x@10.0.0.1");
    assert.equal(namesOf(a), "");
    const [before] = b.shelf.listNeighbours();
    await a.shelf.tell([instance("x", "10.0.0.1"), instance("y", "10.0.0.2")]);
    await settle("b knows y", () => b.shelf.listNeighbours().length === 2);
    assert.equal(b.shelf.listNeighbours()[0], before, "what has not changed is the same object");
    await a.shelf.tell([]);
    await settle("b forgets both", () => namesOf(b) === "");
  });

  test("holds back who has an address that was another's, for a moment", async () => {
    await using store = await openFleetStore("one");
    await using a = startShelf("a", store, await openMemory());
    await isRead(a);
    assert.equal((await a.shelf.tell([instance("x", "10.0.0.1")])).size, 0);
    assert.equal((await a.shelf.tell([])).size, 0);
    const news = [instance("y", "10.0.0.1"), instance("z", "10.0.0.3")];
    assert.deepEqual([...(await a.shelf.tell(news))], ["y"]);
    assert.deepEqual([...(await a.shelf.tell(news))], ["y"]);
    await clock.advance(600);
    assert.deepEqual([...(await a.shelf.tell(news))], []);
  });

  test("goes on with its copy while the store is away, also from its start on", async () => {
    await using store = await openFleetStore("one");
    await using own = await openMemory();
    await using a = startShelf("a", store, await openMemory());
    {
      await using b = startShelf("b", store, own);
      await Promise.all([isRead(a), isRead(b)]);
      await a.shelf.tell([instance("x", "10.0.0.1"), instance("y", "10.0.0.2")]);
      await b.shelf.change(async (to) => {
        await to.transact([{ kind: "put", key: "policy/shop", value: policiesOf("shop") }]);
      });
      await a.shelf.tell([instance("x", "10.0.0.1")]);
      await settle("b knows", () => namesOf(b) === "x@10.0.0.1" && b.shelf.scopes.has("shop"));
    }
    const door = createStoreDoor(store);
    door.shut();
    await using b = startShelf("b", door.store, own);
    await settle("it knows", () => b.shelf.isKnown);
    assert.equal(namesOf(b), "x@10.0.0.1");
    assert.deepEqual([...b.shelf.scopes.keys()], ["shop"]);
    await settle("and says that it may be old", () => b.shelf.problem?.includes("shut") === true);
    assert.deepEqual([...(await b.shelf.tell([instance("w", "10.0.0.9")]))], []);
  });

  test("gives a store that has lost everything its policies back, and takes them from no other", async () => {
    await using own = await openMemory();
    {
      await using store = await openFleetStore("one");
      await using a = startShelf("a", store, own);
      await isRead(a);
      await a.shelf.change(async (to) => {
        await to.transact([{ kind: "put", key: "policy/shop", value: policiesOf("shop") }]);
        await to.transact([{ kind: "put", key: "policy/talk", value: policiesOf("talk") }]);
      });
      await settle(
        "they are copied",
        async () => (await own.list("policy-copy/")).entries.length === 2,
      );
    }
    await using fresh = await openFleetStore("two");
    const newer = { ...policiesOf("shop"), mode: "watch" as const };
    await fresh.transact([{ kind: "put", key: "policy/shop", value: newer }]);
    await using a = startShelf("a", fresh, own);
    await isRead(a);
    assert.deepEqual(
      [...a.shelf.scopes].map(([scope, { mode }]) => `${scope} ${mode}`),
      ["shop watch", "talk enforce"],
    );
    // Taken back by a person, it does not come again.
    await fresh.transact([{ kind: "delete", key: "policy/talk" }]);
    await settle("it is gone", () => !a.shelf.scopes.has("talk"));
    await settle(
      "also of the copy",
      async () => (await own.list("policy-copy/")).entries.length === 1,
    );
  });

  test("closes a scope of which nothing can be read, until a person gives that up", async () => {
    await using store = await openFleetStore("one");
    await using a = startShelf("a", store, await openMemory());
    await isRead(a);
    await store.transact([{ kind: "put", key: "policy/shop", value: newerOf("shop") }]);
    await settle("it is closed", () => a.shelf.unread.get("shop") === "closed");
    const { mode, policies } = a.shelf.scopes.get("shop") ?? {};
    assert.equal(mode, "enforce");
    assert.deepEqual(
      policies?.map(({ name, instances, ingress, egress }) => [name, instances, ingress, egress]),
      [[UNREAD_POLICY, { labels: {}, requirements: [] }, [], []]],
    );
    assert.match(tellUnread(a.shelf.unread) ?? "", /of shop, where nobody may .*FL0752/);
    const request = { policies: [], scopes: {}, modes: { shop: "off" as const } };
    const writing = a.shelf.change((to) => writeRequest(to, request));
    await assert.rejects(writing, /policies of shop cannot be read, and are not written over/);
    const removing = a.shelf.change((to) => removePolicy(to, "shop", "another"));
    await assert.rejects(removing, /cannot be read/);
    assert.deepEqual((await store.get("policy/shop"))?.value, newerOf("shop"));
    await a.shelf.change((to) => removePolicy(to, "shop", UNREAD_POLICY));
    assert.deepEqual([a.shelf.scopes.size, a.shelf.unread.size], [0, 0]);
    assert.equal(tellUnread(a.shelf.unread), undefined);
  });

  test("goes on with what it read last where a newer version has written, also from its start on", async () => {
    await using store = await openFleetStore("one");
    await using own = await openMemory();
    const standsAs = ({ shelf }: ShelfNode) =>
      [...shelf.scopes.values()].map(({ scope, mode }) => `${scope} ${mode}`).join();
    const watched = { ...policiesOf("shop"), mode: "watch" as const };
    {
      await using a = startShelf("a", store, own);
      await isRead(a);
      await store.transact([{ kind: "put", key: "policy/shop", value: watched }]);
      await settle("it is read", () => standsAs(a) === "shop watch");
      await store.transact([{ kind: "put", key: "policy/shop", value: newerOf("shop") }]);
      await settle("what was known stays", () => a.shelf.unread.get("shop") === "kept");
      assert.equal(standsAs(a), "shop watch");
    }
    {
      await using a = startShelf("a", store, own);
      await isRead(a);
      assert.equal(a.shelf.unread.get("shop"), "kept");
      assert.equal(standsAs(a), "shop watch");
    }
    const door = createStoreDoor(store);
    door.shut();
    {
      await using a = startShelf("a", door.store, own);
      await settle("it knows", () => a.shelf.isKnown);
      assert.equal(standsAs(a), "shop watch");
    }
    // Another node has never read it.
    await using b = startShelf("b", store, await openMemory());
    await isRead(b);
    assert.equal(b.shelf.unread.get("shop"), "closed");
    await store.transact([{ kind: "put", key: "policy/shop", value: watched }]);
    await settle("it can be read again", () => b.shelf.unread.size === 0);
    assert.equal(standsAs(b), "shop watch");
  });

  test("keeps a scope closed from its start on while the store is away", async () => {
    await using store = await openFleetStore("one");
    await using own = await openMemory();
    await store.transact([{ kind: "put", key: "policy/shop", value: newerOf("shop") }]);
    {
      await using a = startShelf("a", store, own);
      await isRead(a);
      assert.equal(a.shelf.unread.get("shop"), "closed");
    }
    const door = createStoreDoor(store);
    door.shut();
    await using a = startShelf("a", door.store, own);
    await settle("it knows", () => a.shelf.isKnown);
    assert.equal(a.shelf.unread.get("shop"), "closed");
    assert.equal(a.shelf.scopes.get("shop")?.policies.length, 1);
  });

  test("forgets instances of a node that was taken from the roll, after a while", async () => {
    await using store = await openFleetStore("one");
    await using a = startShelf("a", store, await openMemory());
    {
      await using b = startShelf("b", store, await openMemory());
      await isRead(b);
      await b.shelf.tell([instance("x", "10.0.0.1")]);
    }
    await isRead(a);
    await settle("a knows x", () => namesOf(a) === "x@10.0.0.1");
    await a.shelf.tell([]);
    assert.equal(namesOf(a), "x@10.0.0.1", "its node has only ended");
    a.roll.delete("b");
    await a.shelf.tell([]);
    await clock.advance(31_000);
    await a.shelf.tell([]);
    assert.equal(namesOf(a), "");
  });
});
