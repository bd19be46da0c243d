// SPDX-License-Identifier: Apache-2.0
// Users over a store: what of a token is kept, how long it is good, and what a restart knows.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Logger } from "#base/logger.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import { settle } from "#control/testing/overlay-node.ts";
import { createStoreDoor } from "#control/testing/store-door.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { openAccess } from "./open-access.ts";

const BY = { actor: "unix socket" };
const HOUR_MS = 3_600_000;

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

async function open() {
  const clock = createManualClock();
  const store = await openStore({ kind: "memory" }, { clock });
  const decisions = createDecisionLog({ store, clock, random: Math.random, logger: silent });
  const place = { openStore: () => Promise.resolve(store), own: undefined };
  const reopen = () => openAccess({ ...place, decisions, clock, logger: silent });
  return { clock, store, decisions, reopen, access: await reopen() };
}

describe("users", () => {
  test("a token is its user's, with what the user may now; the store has no secret", async () => {
    const { store, access, reopen } = await open();
    await access.setUser("ana", { role: "viewer" }, BY);
    const { text, view } = await access.createToken("ana", {}, BY);
    assert.deepEqual(access.find(text), { user: "ana", role: "viewer" });
    await access.setUser("ana", { role: "admin" }, BY);
    assert.deepEqual(access.find(text), { user: "ana", role: "admin" });
    const { entries } = await store.list("");
    const secret = text.slice(-43);
    assert.ok(!JSON.stringify(entries).includes(secret));
    assert.match(text, /^flu_[\da-f]{12}_[\w-]{43}$/);
    assert.ok(text.includes(view.id));
    const again = await reopen();
    assert.deepEqual(again.find(text), { user: "ana", role: "admin" });
    assert.deepEqual(again.list(), access.list());
  });

  test("near misses, and tokens of others under another's id, are nobody's", async () => {
    const { access } = await open();
    for (const name of ["ana", "bob"]) await access.setUser(name, { role: "viewer" }, BY);
    const ana = (await access.createToken("ana", {}, BY)).text;
    const bob = (await access.createToken("bob", {}, BY)).text;
    const mixed = ana.slice(0, 17) + bob.slice(17);
    for (const wrong of [
      mixed,
      ana.slice(0, -1),
      `${ana}x`,
      ana.toUpperCase(),
      "",
      "flu__",
      "flu_",
    ])
      assert.equal(access.find(wrong), undefined, wrong);
    assert.deepEqual(access.find(bob), { user: "bob", role: "viewer" });
  });

  test("ends with its time, when it is taken back, and with its user", async () => {
    const { clock, access, reopen } = await open();
    await access.setUser("ana", { role: "viewer" }, BY);
    const short = await access.createToken("ana", { ttlMs: HOUR_MS }, BY);
    const other = await access.createToken("ana", {}, BY);
    await clock.advance(HOUR_MS);
    assert.equal(access.find(short.text), undefined);
    assert.equal(access.list()[0]?.tokens.find(({ id }) => id === short.view.id)?.expired, true);
    assert.ok(access.find(other.text));
    await access.revokeToken("ana", other.view.id, BY);
    assert.equal(access.find(other.text), undefined);
    await assert.rejects(access.revokeToken("ana", other.view.id, BY), /FL0755|no token/);
    const last = await access.createToken("ana", {}, BY);
    await access.removeUser("ana", BY);
    for (const each of [access, await reopen()]) {
      assert.equal(each.find(last.text), undefined);
      assert.equal(each.roleOf("ana"), undefined);
      assert.deepEqual(each.list(), []);
    }
    await assert.rejects(access.removeUser("anna", BY), /no user/);
  });

  test("a user has twenty tokens, and changes at once do not lose each other", async () => {
    const { access } = await open();
    await access.setUser("ana", { role: "viewer" }, BY);
    const made = await Promise.allSettled(
      Array.from({ length: 25 }, () => access.createToken("ana", {}, BY)),
    );
    const good = made.filter((one) => one.status === "fulfilled");
    assert.equal(good.length, 20);
    for (const { value } of good) assert.ok(access.find(value.text));
  });

  test("holds on all nodes of a fleet: also with its store away, and two who change one user lose nothing", async () => {
    const clock = createManualClock();
    await using fleet = await openStore({ kind: "memory" }, { clock });
    await fleet.transact([{ kind: "put", key: "identity", value: "one" }]);
    const door = createStoreDoor(fleet);
    const stopping = new AbortController();
    const openOne = async (to: Store) => {
      const own = await openStore({ kind: "memory" }, { clock });
      const decisions = createDecisionLog({
        store: own,
        clock,
        random: Math.random,
        logger: silent,
      });
      const openStoreOfFleet = () => Promise.resolve(to);
      const options = { openStore: openStoreOfFleet, own, decisions, clock, logger: silent };
      const access = await openAccess(options);
      void access.run(stopping.signal);
      return access;
    };
    const [a, b] = [await openOne(fleet), await openOne(door.store)];
    await a.setUser("ana", { role: "viewer" }, BY);
    await settle("b knows ana", () => b.roleOf("ana") === "viewer");
    const [one, other] = await Promise.all([
      a.createToken("ana", {}, BY),
      b.createToken("ana", {}, BY),
    ]);
    for (const access of [a, b])
      await settle("both tokens are good", () =>
        [one, other].every(({ text }) => access.find(text)?.user === "ana"),
      );
    door.shut();
    assert.deepEqual(b.find(one.text), { user: "ana", role: "viewer" }, "from what it knows");
    await assert.rejects(b.removeUser("ana", BY));
    await a.removeUser("ana", BY);
    assert.equal(a.find(one.text), undefined);
    door.open();
    await clock.advance(1_000);
    await settle("b hears of it", () => b.find(other.text) === undefined);
    stopping.abort();
  });

  test("a node that has left its fleet keeps them, and begins again without it", async () => {
    const clock = createManualClock();
    await using fleet = await openStore({ kind: "memory" }, { clock });
    await using own = await openStore({ kind: "memory" }, { clock });
    await fleet.transact([{ kind: "put", key: "identity", value: "one" }]);
    const decisions = createDecisionLog({ store: own, clock, random: Math.random, logger: silent });
    const parts = { decisions, clock, logger: silent };
    const inFleet = await openAccess({ ...parts, openStore: () => Promise.resolve(fleet), own });
    const leaving = new AbortController();
    const running = inFleet.run(leaving.signal);
    await inFleet.setUser("ana", { role: "viewer" }, BY);
    const { text } = await inFleet.createToken("ana", {}, BY);
    await settle(
      "it has a copy",
      async () => (await own.list("users-copy/users/")).entries.length > 0,
    );
    leaving.abort();
    await running;
    const alone = { ...parts, openStore: () => Promise.resolve(own), own: undefined };
    for (const access of [await openAccess(alone), await openAccess(alone)])
      assert.deepEqual(access.find(text), { user: "ana", role: "viewer" });
    assert.deepEqual((await own.list("users-copy")).entries, []);
  });

  test("each change is a decision with who asked, and without the token", async () => {
    const { clock, access, decisions } = await open();
    await access.setUser("ana", { role: "operator" }, { ...BY, reason: "new here" });
    // Which of two of one moment is the newer one is not told.
    await clock.advance(1);
    const { text } = await access.createToken("ana", {}, BY);
    const list = await decisions.list({ limit: 10 });
    assert.deepEqual(
      list.map(({ title, actor, outcome }) => [title, actor, outcome]),
      [
        ["made a token for ana", "unix socket", "done"],
        ["let ana in as operator", "unix socket", "done"],
      ],
    );
    assert.ok(!JSON.stringify(list).includes(text.slice(-43)));
  });
});
