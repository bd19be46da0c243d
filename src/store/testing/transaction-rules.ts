// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { baseErrors, isKind } from "#base/errors.ts";
import type { Revision } from "#store/store.ts";
import { assertLater, listKeys, put, remove } from "./rule.ts";
import type { Rule } from "./rule.ts";

function isInvalid(thrown: unknown): boolean {
  return isKind(thrown, baseErrors["invalid-argument"]);
}

/** get, list, measure, transact. */
export const transactionRules: Readonly<Record<string, Rule>> = {
  async "an absent key is undefined"({ store }) {
    assert.equal(await store.get("a"), undefined);
  },
  async "a value comes back as its JSON"({ store }) {
    const value = { text: "ä\u0000🙂", list: [1, null, { deep: true }], gone: undefined };
    const revision = await store.transact([put("a", value)]);
    const entry = await store.get("a");
    assert.deepEqual(entry, {
      key: "a",
      value: { text: "ä\u0000🙂", list: [1, null, { deep: true }] },
      revision,
    });
  },
  async "a value is not shared with its writer or reader"({ store }) {
    const value = { list: [1] };
    const written = store.transact([put("a", value)]);
    value.list.push(2);
    await written;
    const first = await store.get("a");
    Object.assign(Object(first?.value), { list: [] });
    assert.deepEqual((await store.get("a"))?.value, { list: [1] });
  },
  async "revisions grow by one with each transaction that changed something"(fixture) {
    const { store } = fixture;
    const { revision } = await store.list("");
    const first = (await store.transact([put("a", 1), put("b", 1)])) ?? 0;
    assertLater(fixture, first, { than: revision, by: 1 });
    assert.equal(await store.transact([remove("absent")]), first);
    const same = (await store.transact([put("a", 1)])) ?? 0;
    assertLater(fixture, same, { than: first, by: 1 });
    const last = await store.transact([remove("a")]);
    assertLater(fixture, last, { than: same, by: 1 });
    assert.equal((await store.list("")).revision, last);
  },
  async "all keys of a transaction carry its revision"({ store }) {
    const revision = await store.transact([put("a", 1), put("b", 2)]);
    const { entries } = await store.list("");
    assert.deepEqual(
      entries.map((entry) => entry.revision),
      [revision, revision],
    );
  },
  async "a put on revision 0 creates only once"({ store }) {
    const absent = [{ key: "a", revision: 0 }];
    assert.notEqual(await store.transact([put("a", 1)], absent), undefined);
    assert.equal(await store.transact([put("a", 2)], absent), undefined);
    assert.equal((await store.get("a"))?.value, 1);
  },
  async "one failed condition stops the whole transaction"({ store }) {
    const revision = (await store.transact([put("a", 1)])) ?? 0;
    const conditions = [
      { key: "a", revision },
      { key: "b", revision: 7 },
    ];
    assert.equal(await store.transact([put("a", 2), put("c", 1)], conditions), undefined);
    assert.deepEqual(await listKeys(store), ["a"]);
    assert.equal((await store.list("")).revision, revision);
  },
  async "of concurrent writers on one revision one wins"({ store }) {
    const condition = [{ key: "a", revision: 0 }];
    const writes = Array.from({ length: 20 }, (_, i) => store.transact([put("a", i)], condition));
    const revisions = await Promise.all(writes);
    assert.equal(revisions.filter((revision) => revision !== undefined).length, 1);
    assert.equal(
      (await store.get("a"))?.value,
      revisions.findIndex((r) => r !== undefined),
    );
  },
  async "concurrent transactions each get a revision of their own"(fixture) {
    const { store } = fixture;
    const { revision } = await store.list("");
    const writes = Array.from({ length: 300 }, (_, i) => store.transact([put(`k/${i}`, i)]));
    const revisions = await Promise.all(writes);
    assert.equal(new Set(revisions).size, 300);
    const newest = Math.max(...revisions.map((r) => r ?? 0));
    assertLater(fixture, newest, { than: revision, by: 300 });
  },
  async "list returns only keys under the prefix, sorted"({ store }) {
    const keys = ["b", "a/2", "a/10", "a", "a/1", "a0", "a/~", "a/ x"];
    await store.transact(keys.map((key) => put(key, 0)));
    assert.deepEqual(await listKeys(store, "a/"), ["a/ x", "a/1", "a/10", "a/2", "a/~"]);
    assert.deepEqual(await listKeys(store), keys.toSorted());
  },
  async "list pages with after and limit in both orders"({ store }) {
    await store.transact(["x", "p/1", "p/2", "p/3", "p/4"].map((key) => put(key, 0)));
    async function page(options: object): Promise<readonly string[]> {
      return (await store.list("p/", options)).entries.map((entry) => entry.key);
    }
    assert.deepEqual(await page({ limit: 2 }), ["p/1", "p/2"]);
    assert.deepEqual(await page({ limit: 2, after: "p/2" }), ["p/3", "p/4"]);
    assert.deepEqual(await page({ after: "p/4" }), []);
    assert.deepEqual(await page({ descending: true, limit: 2 }), ["p/4", "p/3"]);
    assert.deepEqual(await page({ descending: true, after: "p/3" }), ["p/2", "p/1"]);
    assert.deepEqual(await page({ descending: true, after: "p/1" }), []);
    assert.deepEqual(await page({ after: "a" }), ["p/1", "p/2", "p/3", "p/4"]);
  },
  async "measure counts entries and their bytes"({ store }) {
    await store.transact([put("p/1", "ä"), put("p/2", [1]), put("q", 0)]);
    assert.deepEqual(await store.measure("p/"), { entries: 2, sizeBytes: 3 + 4 + 3 + 3 });
    assert.deepEqual(await store.measure("none/"), { entries: 0, sizeBytes: 0 });
  },
  async "keys that are empty, too long or not printable ASCII are refused"({ store }) {
    for (const key of ["", "k".repeat(513), "ä", "a\n", "\u007f"]) {
      await assert.rejects(store.transact([put(key, 1)]), isInvalid, JSON.stringify(key));
      await assert.rejects(store.get(key), isInvalid, JSON.stringify(key));
    }
    await store.transact([put("k".repeat(512), 1)]);
  },
  async "values that are not JSON or too large are refused"({ store }) {
    const loop: unknown[] = [];
    loop.push(loop);
    for (const value of [undefined, 1n, loop, "x".repeat(8 * 1024 * 1024)]) {
      await assert.rejects(store.transact([put("fine", 1), put("a", value)]), isInvalid);
    }
    assert.deepEqual(await listKeys(store), []);
  },
  async "a key twice in one transaction is refused"({ store }) {
    await assert.rejects(store.transact([put("a", 1), remove("a")]), isInvalid);
  },
  async "an aborted signal rejects with its reason and changes nothing"({ store }) {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const isReason = (thrown: unknown): boolean => thrown === reason;
    await assert.rejects(store.get("a", { signal }), isReason);
    await assert.rejects(store.list("", { signal }), isReason);
    await assert.rejects(store.measure("", { signal }), isReason);
    await assert.rejects(store.transact([put("a", 1)], [], { signal }), isReason);
    await assert.rejects(store.grantLease(1000, { signal }), isReason);
    await assert.rejects(store.renewLease("a", { signal }), isReason);
    await assert.rejects(store.revokeLease("a", { signal }), isReason);
    assert.deepEqual(await listKeys(store), []);
  },
  async "1,000 entries are listed whole at one revision"({ store }) {
    const keys = Array.from({ length: 1000 }, (_, i) => `n/${String(i).padStart(4, "0")}`);
    const { operationsMax } = store;
    let revision: Revision | undefined;
    for (let at = 0; at < keys.length; at += operationsMax) {
      const some = keys.slice(at, at + operationsMax);
      revision = await store.transact(some.map((key) => put(key, { key })));
    }
    const snapshot = await store.list("n/");
    assert.equal(snapshot.revision, revision);
    assert.deepEqual(
      snapshot.entries.map((entry) => entry.key),
      keys,
    );
  },
};
