// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { discoveryConformance, waitFor } from "#discovery/discovery-conformance.ts";
import type { Discovery } from "#discovery/discovery.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { createTestClock } from "#discovery/testing/test-clock.ts";
import { openStore, type StoreOptions } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { openRegistry } from "./open-registry.ts";
import { keyOfAgent, REGISTRY_PREFIX, RegistryMember } from "./registry-keys.ts";

const CLOCK = createTestClock();
/** A member whose process stands still: it renews nothing. */
const STOPPED: Clock = {
  ...CLOCK,
  sleep: (_, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error()))),
};

interface Place extends AsyncDisposable {
  readonly options: StoreOptions;
}

async function makePlace(kind: "sqlite" | "memory"): Promise<Place> {
  if (kind === "memory") return { options: { kind }, [Symbol.asyncDispose]: async () => undefined };
  const directory = await mkdtemp(join(tmpdir(), "fairlead-registry-"));
  return {
    // What is announced may be announced again: nothing here has to survive a power cut.
    options: { kind, directory, durability: "process-crash" },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

function joinStore(store: Store, name: string, clock = CLOCK, leaseMs = 600): Promise<Discovery> {
  const parts = { clock, random: Math.random, logger: silentLogger };
  return openRegistry({ store, name, leaseMs }, parts);
}

for (const kind of ["memory", "sqlite"] as const) {
  discoveryConformance(`registry on ${kind}`, async () => {
    await using stack = new AsyncDisposableStack();
    const { options } = stack.use(await makePlace(kind));
    const store = stack.use(await openStore(options, { clock: CLOCK }));
    const first = stack.use(await joinStore(store, "first"));
    const second = stack.use(await joinStore(store, "second"));
    const owned = stack.move();
    return { first, second, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  });
}

const isGone =
  (id: string) =>
  (change: { readonly type: string; readonly agent: { readonly id: string } }): boolean =>
    change.type === "gone" && change.agent.id === id;

describe("what happens to members", () => {
  test("the agents of one that does not renew are gone when its lease has run out, as expired", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    await using watching = await joinStore(store, "watching");
    await using silent = await joinStore(store, "silent", STOPPED, 300);
    await silent.announce(buildRecord("a"));
    const change = await waitFor(watching, isGone("a"));
    assert.equal(change.type === "gone" && change.reason, "expired");
    assert.deepEqual(watching.list(), []);
  });

  test("one that renews keeps its agents for many leases", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    await using announcing = await joinStore(store, "announcing", CLOCK, 300);
    await announcing.announce(buildRecord("a"));
    await CLOCK.sleep(1_000);
    assert.ok(await store.get(keyOfAgent("a")));
  });

  test("one whose lease was lost announces everything again", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    await using watching = await joinStore(store, "watching");
    await using losing = await joinStore(store, "losing");
    await losing.announce(buildRecord("a"));
    const gone = waitFor(watching, isGone("a"));
    const { entries } = await store.list(`${REGISTRY_PREFIX}members/`);
    const leases = entries.map(({ value }) => RegistryMember.parse(value));
    await store.revokeLease(leases.find(({ name }) => name === "losing")?.lease ?? "");
    const change = await gone;
    assert.equal(change.type === "gone" && change.reason, "expired");
    await waitFor(watching, ({ type, agent }) => type === "up" && agent.id === "a");
    assert.equal(losing.list().length, 1);
  });

  test("what a killed life of the same name left is taken back by the next", async () => {
    await using place = await makePlace("sqlite");
    const before = await openStore(place.options, { clock: CLOCK });
    const killed = await joinStore(before, "node", STOPPED, 60_000);
    await killed.announce(buildRecord("a"));
    // Closed under its feet: nothing of the registry was taken back.
    await before[Symbol.asyncDispose]();
    await using after = await openStore(place.options, { clock: CLOCK });
    assert.ok(await after.get(keyOfAgent("a")));
    await using next = await joinStore(after, "node");
    assert.deepEqual(next.list(), []);
    assert.equal(await after.get(keyOfAgent("a")), undefined);
    await killed[Symbol.asyncDispose]();
  });

  test("an id that another member announces is that member's from then on", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    await using first = await joinStore(store, "first");
    await using second = await joinStore(store, "second");
    const former = await first.announce(buildRecord("a", { load: 1 }));
    await second.announce(buildRecord("a", { load: 2 }));
    await waitFor(first, ({ agent }) => agent.load === 2);
    await former[Symbol.asyncDispose]();
    assert.ok(await store.get(keyOfAgent("a")));
    assert.deepEqual(
      first.list().map(({ load }) => load),
      [2],
    );
  });

  test("what changes many times within the settling time is written twice", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    const parts = { clock: CLOCK, random: Math.random, logger: silentLogger };
    const options = { store, name: "busy", leaseMs: 60_000, settleMs: 100 };
    await using busy = await openRegistry(options, parts);
    await busy.announce(buildRecord("a", { load: 0 }));
    const before = (await store.list(REGISTRY_PREFIX)).revision;
    const writes = Array.from({ length: 50 }, (_, i) =>
      busy.announce(buildRecord("a", { load: i + 1 })),
    );
    await Promise.all(writes);
    assert.equal((await store.list(REGISTRY_PREFIX)).revision, before + 1);
  });

  test("an id with letters that no key may have is carried", async () => {
    await using store = await openStore({ kind: "memory" }, { clock: CLOCK });
    await using first = await joinStore(store, "first");
    await using second = await joinStore(store, "second");
    await first.announce(buildRecord("ä/☃ b"));
    const change = await waitFor(second, () => true);
    assert.equal(change.agent.id, "ä/☃ b");
  });
});
