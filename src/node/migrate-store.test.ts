// SPDX-License-Identifier: Apache-2.0
// `fairlead store migrate` from files to Consul and back, to the end. Consul is played by the stand-in, which refuses what
// Consul's documentation says that it refuses.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isKind } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import { loadSettings } from "#config/load-settings.ts";
import type { Settings } from "#config/settings.ts";
import { storeErrors } from "#store/errors.ts";
import { openStore } from "#store/open.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { createConsulStandIn } from "#store/testing/consul-stand-in/serve.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { migrateStore } from "./migrate-store.ts";
import { describeStore } from "./open-node-store.ts";

const tools = { clock, logger: silentLogger };
/** More than one transaction of Consul takes, and values of many kinds, one of them nearly as large as it takes. */
const VALUES = [{ deep: ["ä", null] }, "", 0, false, "x".repeat(20_000)];
const ENTRIES = 150;
const LARGE_BYTES = 380_000;

function describeSettings(directory: string, endpoint: string): Settings {
  const flags = { stateDir: join(directory, "state"), "store.endpoints": endpoint };
  const place = { env: {}, uid: 0, hostName: "one" };
  return loadSettings({ ...place, flags, readFile: () => undefined }).settings;
}

async function openKind(kind: "sqlite" | "consul", settings: Settings): Promise<Store> {
  return openStore(await describeStore(kind, settings, silentLogger), { clock });
}

const read = async (store: Store) =>
  (await store.list("")).entries.map(({ key, value }) => [key, value]);

async function fill(store: Store, largeBytes: number): Promise<void> {
  const put = (key: string, value: unknown): StoreOperation => ({ kind: "put", key, value });
  for (let n = 0; n < ENTRIES; n++)
    await store.transact([put(`decision/${n}`, VALUES[n % VALUES.length])]);
  await store.transact([put("scope/shop", "y".repeat(largeBytes))]);
}

test("all is the same after it went to Consul, and after it came back", async () => {
  const [directory, other] = [0, 1].map(() => mkdtempSync(join(tmpdir(), "fairlead-migrate-")));
  try {
    await using server = createConsulStandIn({ clock });
    const { endpoint } = await server.open();
    const settings = describeSettings(directory ?? "", endpoint);
    await using source = await openKind("sqlite", settings);
    await fill(source, LARGE_BYTES);
    const expected = await read(source);
    await source[Symbol.asyncDispose]();
    const there = await migrateStore({ from: "sqlite", to: "consul", settings }, tools);
    assert.deepEqual(there, { entries: ENTRIES + 1, left: 0 });
    await using consul = await openKind("consul", settings);
    assert.deepEqual(await read(consul), expected);
    // Never over something that is there.
    await assert.rejects(
      migrateStore({ from: "sqlite", to: "consul", settings }, tools),
      (thrown) => isKind(thrown, storeErrors["store-not-empty"]),
    );
    const elsewhere = describeSettings(other ?? "", endpoint);
    const back = await migrateStore({ from: "consul", to: "sqlite", settings: elsewhere }, tools);
    assert.deepEqual(back, { entries: ENTRIES + 1, left: 0 });
    await using returned = await openKind("sqlite", elsewhere);
    assert.deepEqual(await read(returned), expected);
  } finally {
    for (const path of [directory, other]) rmSync(path ?? "", { recursive: true, force: true });
  }
});

test("what Consul does not take is told with what to set, and what was copied counts as half", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-migrate-"));
  try {
    await using server = createConsulStandIn({ clock });
    const { endpoint } = await server.open();
    const settings = describeSettings(directory, endpoint);
    {
      await using source = await openKind("sqlite", settings);
      await fill(source, 2 * LARGE_BYTES);
    }
    const going = migrateStore({ from: "sqlite", to: "consul", settings }, tools);
    await assert.rejects(going, (thrown) => {
      assert.ok(isKind(thrown, storeErrors["store-limit"]), String(thrown));
      assert.match(thrown.remedy, /kv_max_value_size/);
      return true;
    });
    const back = migrateStore({ from: "consul", to: "sqlite", settings }, tools);
    await assert.rejects(back, (thrown) => isKind(thrown, storeErrors["store-half-copied"]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
