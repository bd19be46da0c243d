// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind, type ErrorKind } from "#base/errors.ts";
import { checkWhole, copyStore } from "./copy-store.ts";
import { storeErrors } from "./errors.ts";
import { openStore } from "./open.ts";
import type { Store } from "./store.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { listKeys, put } from "./testing/rule.ts";

const clock = createManualClock();
const LEAVE = { leaveOut: "discovery/" };
const VALUES = [{ deep: ["ä", null] }, "", 0, false, "x".repeat(100_000)];
const is = (kind: ErrorKind) => (thrown: unknown) => isKind(thrown, kind);

const openEmpty = (): Promise<Store> => openStore({ kind: "memory" }, { clock });

async function openSource(): Promise<Store> {
  const source = await openEmpty();
  const entries = Array.from({ length: 250 }, (_, n) => put(`k/${n}`, VALUES[n % VALUES.length]));
  await source.transact([...entries, put("discovery/agents/a", 1), put("~last", 1)]);
  return source;
}

/** The same store, which is cut off at its n-th transaction, or under another name of its kind. */
function wrap(inner: Store, { cutAt = Infinity, kind = inner.kind }): Store {
  let count = 0;
  return {
    ...inner,
    kind,
    async transact(...args) {
      if (++count >= cutAt) throw new Error("cut off");
      return inner.transact(...args);
    },
  };
}

const read = async (store: Store) =>
  (await store.list("")).entries.map(({ key, value }) => [key, value]);

test("everything is there afterwards but what was left out, whatever the values", async () => {
  await using source = await openSource();
  await using target = await openEmpty();
  assert.deepEqual(await copyStore(source, target, LEAVE), { entries: 251, left: 1 });
  const expected = (await read(source)).filter(([key]) => key !== "discovery/agents/a");
  assert.deepEqual(await read(target), expected);
  await checkWhole(target);
});

test("cut off anywhere: it is told as half a copy, and copied to anew", async () => {
  await using source = await openSource();
  const before = await read(source);
  // The mark, the entries, and the mark again.
  for (const cutAt of [1, 2, 3, 101, 252, 253]) {
    await using target = await openEmpty();
    await assert.rejects(copyStore(source, wrap(target, { cutAt }), LEAVE), /cut off/);
    if (cutAt > 1) {
      await assert.rejects(checkWhole(target), is(storeErrors["store-half-copied"]));
      const backwards = copyStore(target, source, LEAVE);
      await assert.rejects(backwards, is(storeErrors["store-half-copied"]));
    }
    // Also cut off while it is emptied.
    await assert.rejects(copyStore(source, wrap(target, { cutAt: 1 }), LEAVE), /cut off/);
    assert.deepEqual(await copyStore(source, target, LEAVE), { entries: 251, left: 1 });
    await checkWhole(target);
    assert.equal((await listKeys(target)).length, 251);
  }
  assert.deepEqual(await read(source), before, "the source is as it was");
});

test("a target that has something is left alone", async () => {
  await using source = await openSource();
  await using target = await openEmpty();
  await target.transact([put("mine", 1)]);
  await assert.rejects(copyStore(source, target, LEAVE), is(storeErrors["store-not-empty"]));
  assert.deepEqual(await read(target), [["mine", 1]]);
});

test("a shared store in which a node announces itself is not copied, files are", async () => {
  await using source = await openSource();
  await using target = await openEmpty();
  const lived = copyStore(wrap(source, { kind: "etcd" }), target, LEAVE);
  await assert.rejects(lived, is(storeErrors["store-lived-in"]));
  assert.deepEqual(await read(target), []);
});

test("what somebody writes to the source meanwhile is noticed", async () => {
  await using source = await openSource();
  await using target = await openEmpty();
  let isWritten = false;
  const busy: Store = {
    ...target,
    async transact(operations, ...rest) {
      if (!isWritten && operations.some(({ key }) => key === "~last")) {
        isWritten = true;
        await source.transact([put("k/0", "newer")]);
      }
      return target.transact(operations, ...rest);
    },
  };
  await assert.rejects(copyStore(source, busy, LEAVE), is(storeErrors["store-copy-differs"]));
  await assert.rejects(checkWhole(target), is(storeErrors["store-half-copied"]));
});
