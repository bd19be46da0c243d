// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { assertLater, listKeys, put, remove, takeChanges } from "./rule.ts";
import type { Rule } from "./rule.ts";

const HOUR_MS = 60 * 60 * 1000;

/** For stores that outlive the process. */
export const reopenRules: Readonly<Record<string, Rule>> = {
  async "what was acknowledged is there after reopening"(fixture) {
    await fixture.store.transact([put("a", { n: 1 }), put("b", 2)]);
    const revision = await fixture.store.transact([remove("b")]);
    const before = await fixture.store.list("");
    await fixture.reopen();
    assert.deepEqual(await fixture.store.list(""), before);
    const next = await fixture.store.transact([put("c", 3)]);
    assertLater(fixture, next, { than: revision ?? 0, by: 1 });
  },
  async "a watch goes on from the newest revision and lagged from an older one"(fixture) {
    await fixture.store.transact([put("a", 1)]);
    const { revision } = await fixture.store.list("");
    await fixture.reopen();
    const taken = takeChanges(fixture.store, "", revision, 1);
    await fixture.store.transact([put("a", 2)]);
    assert.equal((await taken)[0]?.[0]?.value, 2);
    await assert.rejects(takeChanges(fixture.store, "", revision - 1, 1), (thrown) =>
      isKind(thrown, storeErrors["store-lagged"]),
    );
  },
  async "a lease goes on with what was left of it"(fixture) {
    const { id } = await fixture.store.grantLease(10_000);
    await fixture.store.transact([put("a", 1, id)]);
    await fixture.elapse(7000);
    fixture.jumpWallClock(HOUR_MS);
    await fixture.reopen();
    await fixture.elapse(2000);
    assert.deepEqual(await listKeys(fixture.store), ["a"]);
    await fixture.elapse(1001 + fixture.expiryLagMs);
    assert.deepEqual(await listKeys(fixture.store), []);
  },
  async "a lease renewed after reopening has its whole term, also after the next"(fixture) {
    const { id } = await fixture.store.grantLease(10_000);
    await fixture.store.transact([put("a", 1, id)]);
    await fixture.elapse(9000);
    await fixture.reopen();
    assert.equal(await fixture.store.renewLease(id), true);
    await fixture.elapse(3000);
    await fixture.reopen();
    await fixture.elapse(6000);
    assert.deepEqual(await listKeys(fixture.store), ["a"]);
    assert.equal(await fixture.store.renewLease(id), true);
  },
  async "a lease that was revoked stays so"(fixture) {
    const { id } = await fixture.store.grantLease(10_000);
    await fixture.store.transact([put("a", 1, id)]);
    await fixture.store.revokeLease(id);
    await fixture.reopen();
    assert.equal(await fixture.store.renewLease(id), false);
    assert.deepEqual(await listKeys(fixture.store), []);
  },
  async "a closed store says that it is unavailable, its watchers too"(fixture) {
    const { store } = fixture;
    const { revision } = await store.list("");
    const taken = takeChanges(store, "", revision, 1);
    await Promise.all([
      assert.rejects(taken, (thrown) => isKind(thrown, storeErrors["store-unavailable"])),
      fixture.reopen(),
    ]);
    await assert.rejects(store.get("a"), (thrown) =>
      isKind(thrown, storeErrors["store-unavailable"]),
    );
  },
};
