// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openStore } from "./open.ts";
import { pruneStore } from "./prune.ts";
import type { Store } from "./store.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { listKeys, put } from "./testing/rule.ts";

async function fill(store: Store, count: number, value: unknown): Promise<void> {
  const keys = Array.from({ length: count }, (_, i) => `d/${String(i).padStart(5, "0")}`);
  await store.transact([
    put("c/other", 0),
    ...keys.map((key) => put(key, value)),
    put("e/other", 0),
  ]);
}

describe("pruneStore()", () => {
  test("keeps the newest by count and touches no other prefix", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: createManualClock() });
    await fill(store, 1000, 1);
    const pruned = await pruneStore(store, { prefix: "d/", countMax: 3, chunk: 100 });
    assert.equal(pruned, 997);
    assert.deepEqual(await listKeys(store), [
      "c/other",
      "d/00997",
      "d/00998",
      "d/00999",
      "e/other",
    ]);
  });
  test("keeps the newest by size", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: createManualClock() });
    await fill(store, 100, "ää");
    const { sizeBytes } = await store.measure("d/");
    const pruned = await pruneStore(store, { prefix: "d/", sizeMaxBytes: sizeBytes / 2 - 1 });
    assert.equal(pruned, 51);
    assert.equal((await store.measure("d/")).sizeBytes, sizeBytes * 0.49);
  });
  test("deletes what sorts before a key", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: createManualClock() });
    await fill(store, 10, 1);
    await pruneStore(store, { prefix: "d/", beforeKey: "d/00008", chunk: 2 });
    assert.deepEqual(await listKeys(store, "d/"), ["d/00008", "d/00009"]);
  });
  test("within its limits deletes nothing", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: createManualClock() });
    await fill(store, 10, 1);
    const { revision } = await store.list("");
    const pruned = await pruneStore(store, {
      prefix: "d/",
      countMax: 10,
      sizeMaxBytes: 1000,
      beforeKey: "d/",
    });
    assert.equal(pruned, 0);
    assert.equal((await store.list("")).revision, revision);
  });
  test("the SQLite file shrinks", async () => {
    const directory = await mkdtemp(join(tmpdir(), "fairlead-store-"));
    try {
      const options = { kind: "sqlite", directory } as const;
      const file = join(directory, "store.db");
      const clock = createManualClock();
      let store = await openStore(options, { clock });
      await fill(store, 4000, "x".repeat(4000));
      await store[Symbol.asyncDispose]();
      const before = (await stat(file)).size;
      store = await openStore(options, { clock });
      await pruneStore(store, { prefix: "d/", countMax: 100 });
      await store[Symbol.asyncDispose]();
      const after = (await stat(file)).size;
      assert.ok(after < before / 2, `${before} to ${after} bytes`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
