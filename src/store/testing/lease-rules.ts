// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { baseErrors, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { listKeys, put, takeChanges } from "./rule.ts";
import type { Rule } from "./rule.ts";

const HOUR_MS = 60 * 60 * 1000;
/** The shortest term that every backend grants. */
const TTL_MS = 2000;

function isExpired(thrown: unknown): boolean {
  return isKind(thrown, storeErrors["lease-expired"]);
}

export const leaseRules: Readonly<Record<string, Rule>> = {
  async "a lease that runs out deletes its keys in one watched transaction"({
    store,
    elapse,
    expiryLagMs,
  }) {
    const lease = await store.grantLease(TTL_MS);
    const revision = await store.transact([
      put("a", 1, lease.id),
      put("b", 1, lease.id),
      put("c", 1),
    ]);
    await elapse(TTL_MS - 1000);
    assert.deepEqual(await listKeys(store), ["a", "b", "c"]);
    await elapse(1001 + expiryLagMs);
    const [changes] = await takeChanges(store, "", revision ?? 0, 1);
    assert.deepEqual(
      changes?.map(({ kind, key }) => `${kind} ${key}`),
      ["delete a", "delete b"],
    );
    assert.deepEqual(await listKeys(store), ["c"]);
  },
  async "a renewed lease keeps its keys"({ store, elapse }) {
    const { id } = await store.grantLease(TTL_MS);
    await store.transact([put("a", 1, id)]);
    for (let i = 0; i < 3; i++) {
      await elapse(TTL_MS / 2);
      assert.equal(await store.renewLease(id), true);
    }
    assert.deepEqual(await listKeys(store), ["a"]);
  },
  async "a lease that ran out is not renewed and takes no keys"({ store, elapse, expiryLagMs }) {
    const { id } = await store.grantLease(TTL_MS);
    await elapse(TTL_MS + 1 + expiryLagMs);
    assert.equal(await store.renewLease(id), false);
    await assert.rejects(store.transact([put("a", 1), put("b", 1, id)]), isExpired);
    assert.deepEqual(await listKeys(store), []);
  },
  async "a lease that never was is not renewed and takes no keys"({ store }) {
    assert.equal(await store.renewLease("lease_none"), false);
    await assert.rejects(store.transact([put("a", 1, "lease_none")]), isExpired);
  },
  async "revoking deletes the keys at once, and twice is fine"({ store }) {
    const { id } = await store.grantLease(TTL_MS);
    await store.transact([put("a", 1, id), put("b", 1)]);
    await store.revokeLease(id);
    assert.deepEqual(await listKeys(store), ["b"]);
    assert.equal(await store.renewLease(id), false);
    await store.revokeLease(id);
  },
  async "a put without the lease detaches the key"({ store, elapse, expiryLagMs }) {
    const { id } = await store.grantLease(TTL_MS);
    await store.transact([put("a", 1, id), put("b", 1, id)]);
    await store.transact([put("a", 2)]);
    await elapse(TTL_MS + 1 + expiryLagMs);
    assert.deepEqual(await listKeys(store), ["a"]);
  },
  async "each lease ends in its own time"({ store, elapse, expiryLagMs }) {
    const long = await store.grantLease(3 * TTL_MS);
    const short = await store.grantLease(TTL_MS);
    await store.transact([put("long", 1, long.id), put("short", 1, short.id)]);
    await elapse(TTL_MS + 1 + expiryLagMs);
    assert.deepEqual(await listKeys(store), ["long"]);
    await elapse(2 * TTL_MS + 1);
    assert.deepEqual(await listKeys(store), []);
  },
  async "jumps of the wall clock neither end nor prolong a lease"({
    store,
    elapse,
    expiryLagMs,
    jumpWallClock,
  }) {
    const { id } = await store.grantLease(TTL_MS);
    await store.transact([put("a", 1, id)]);
    jumpWallClock(HOUR_MS);
    await elapse(TTL_MS - 1000);
    assert.equal(await store.renewLease(id), true);
    jumpWallClock(-2 * HOUR_MS);
    await elapse(TTL_MS + 1 + expiryLagMs);
    assert.deepEqual(await listKeys(store), []);
  },
  async "lease times out of range are refused"({ store }) {
    for (const ttlMs of [0, -1, 1.5, NaN, Infinity, 25 * HOUR_MS]) {
      await assert.rejects(
        store.grantLease(ttlMs),
        (thrown) => isKind(thrown, baseErrors["invalid-argument"]),
        String(ttlMs),
      );
    }
  },
};
