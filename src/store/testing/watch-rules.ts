// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import type { ListOptions, StoreChange } from "#store/store.ts";
import { put, remove, takeChanges } from "./rule.ts";
import type { Rule } from "./rule.ts";

function isLagged(thrown: unknown): boolean {
  return isKind(thrown, storeErrors["store-lagged"]);
}

export const watchRules: Readonly<Record<string, Rule>> = {
  async "watch yields what came after its revision, a transaction at a time"({ store }) {
    const from = (await store.transact([put("p/0", 0)])) ?? 0;
    await store.transact([put("p/1", 1), put("q", 1), put("p/2", 2)]);
    await store.transact([put("q", 2)]);
    await store.transact([remove("p/1")]);
    assert.deepEqual(await takeChanges(store, "p/", from, 2), [
      [
        { kind: "put", key: "p/1", value: 1, revision: from + 1 },
        { kind: "put", key: "p/2", value: 2, revision: from + 1 },
      ],
      [{ kind: "delete", key: "p/1", revision: from + 3 }],
    ]);
  },
  async "a list and a watch leave out what they are told to"({ store }) {
    await store.transact(["p/a", "p/b/1", "p/b/2", "p/c"].map((key) => put(key, 0)));
    const keysOf = async (options: ListOptions): Promise<readonly string[]> =>
      (await store.list("p/", { ...options, except: "p/b/" })).entries.map(({ key }) => key);
    assert.deepEqual(await keysOf({}), ["p/a", "p/c"]);
    assert.deepEqual(await keysOf({ descending: true }), ["p/c", "p/a"]);
    assert.deepEqual(await keysOf({ after: "p/a", limit: 1 }), ["p/c"]);
    assert.deepEqual(await keysOf({ after: "p/b/2", limit: 2 }), ["p/c"]);
    assert.deepEqual(await keysOf({ after: "p/b/2", descending: true }), ["p/a"]);
    const { revision } = await store.list("p/", { except: "p/b/" });
    const { signal } = new AbortController();
    const watcher = store.watch("p/", revision, { signal, except: "p/b/" })[Symbol.asyncIterator]();
    const first = watcher.next();
    await store.transact([put("p/b/1", 1)]);
    await store.transact([put("p/b/2", 1), put("p/a", 1)]);
    const told = async (next: ReturnType<typeof watcher.next>) =>
      ((await next).value ?? []).map(({ key }: StoreChange) => key);
    assert.deepEqual(await told(first), ["p/a"]);
    await store.transact([put("p/b/1", 2)]);
    await store.transact([put("p/c", 1)]);
    assert.deepEqual(await told(watcher.next()), ["p/c"]);
    await watcher.return?.();
  },
  async "watch waits for changes to come"({ store }) {
    const { revision } = await store.list("");
    const taken = takeChanges(store, "", revision, 2);
    await store.transact([put("a", 1)]);
    await store.transact([put("a", 2)]);
    assert.deepEqual(
      (await taken).flat().map((change) => change.value),
      [1, 2],
    );
  },
  async "a list and a watch from its revision miss and double nothing"({ store }) {
    const seen = new Map<string, number>();
    const writing = Promise.all(
      Array.from({ length: 100 }, (_, i) => store.transact([put(`k/${i}`, i)])),
    );
    const { revision, entries } = await store.list("k/");
    for (const { key } of entries) seen.set(key, 1);
    const last = writing.then(() => store.transact([put("k/last", 0)]));
    const { signal } = new AbortController();
    for await (const changes of store.watch("k/", revision, { signal })) {
      for (const { key } of changes) seen.set(key, (seen.get(key) ?? 0) + 1);
      if (seen.has("k/last")) break;
    }
    await Promise.all([writing, last]);
    assert.equal(seen.size, 101);
    assert.deepEqual([...new Set(seen.values())], [1]);
  },
  async "an aborted watch rejects with the signal's reason"({ store }) {
    const { revision } = await store.list("");
    const controller = new AbortController();
    const reason = new Error("enough");
    const next = store
      .watch("", revision, { signal: controller.signal })
      [Symbol.asyncIterator]()
      .next();
    controller.abort(reason);
    await assert.rejects(next, (thrown) => thrown === reason);
  },
  async "a watch from the future lagged"({ store }) {
    const { revision } = await store.list("");
    await assert.rejects(takeChanges(store, "", revision + 1, 1), isLagged);
  },
  async "a watcher that fell behind a bounded history is told so"({ store }) {
    const { revision } = await store.list("");
    const { signal } = new AbortController();
    const watcher = store.watch("", revision, { signal })[Symbol.asyncIterator]();
    await store.transact([put("a", "first")]);
    assert.equal((await watcher.next()).done, false);
    const value = "x".repeat(64 * 1024);
    for (let i = 0; i < 80; i++) await store.transact([put("a", value)]);
    await assert.rejects(watcher.next(), isLagged);
  },
  async "a change of a transaction larger than the history is still seen"({ store }) {
    const { revision } = await store.list("");
    await store.transact([put("a", "x".repeat(6 * 1024 * 1024))]);
    const [changes] = await takeChanges(store, "", revision, 1);
    assert.equal(changes?.length, 1);
  },
};
