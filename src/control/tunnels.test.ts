// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isKind } from "#base/errors.ts";
import { networkErrors } from "#network/errors.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { controlErrors } from "./errors.ts";
import { NETWORK, settle, startOverlayNode } from "./testing/overlay-node.ts";

const ENCRYPTED = { ...NETWORK, options: { encrypted: "" } };
const DAY_MS = 86_400_000;

const openMemory = (): Promise<Store> =>
  openStore({ kind: "memory" }, { clock: createManualClock() });

type OverlayNode = Awaited<ReturnType<typeof startOverlayNode>>;

/** What its device knows of another host: for which addresses which key. */
const peersOf = ({ tunnel }: OverlayNode): readonly string[] =>
  [...tunnel.devices.values()]
    .flatMap(({ peers }) => peers)
    .map(({ publicKey, address = "none" }) => `${publicKey.slice(0, 2)} ${address}`)
    .toSorted();

async function startTwo(store: Store, stack: AsyncDisposableStack) {
  const a = stack.use(await startOverlayNode(1, store));
  const b = stack.use(await startOverlayNode(2, store));
  await a.join(ENCRYPTED);
  await b.join(ENCRYPTED);
  await settle("they know each other", () => peersOf(a).length === 1 && peersOf(b).length === 1);
  return [a, b] as const;
}

/** Turns time on, as the loop looks again. */
async function pass(nodes: readonly OverlayNode[]): Promise<void> {
  for (const { clock } of nodes) clock.advance(6_000);
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
}

describe("createTunnels()", () => {
  test("an encrypted network is smaller, and all its ways lead through the device", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a, b] = await startTwo(store, stack);
    assert.deepEqual(peersOf(a), ["20 198.51.100.2"]);
    const made = await a.overlays.prepare(ENCRYPTED);
    assert.equal(made.options["com.docker.network.driver.mtu"], "1390");
    assert.equal(made.options["encrypted"], undefined, "the engine's bridge does not know it");
    a.run("one", "02:42:0a:80:00:02", "10.128.0.2");
    await settle("b knows it", () => b.entries().length === 3);
    const [device] = b.tunnel.devices.keys();
    assert.equal(b.entries()[0], `forward 02:42:0a:80:00:02 198.51.100.1 via ${device}`);
    const [view] = b.overlays.list();
    assert.equal(view?.encrypted, true);
    assert.ok(view?.hosts.every(({ tunnel }) => tunnel?.silent === false));
  });

  test("a host that cannot encrypt has no network, and nothing of it goes in clear", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a] = await startTwo(store, stack);
    assert.equal(a.host.devices.size, 1);
    a.tunnel.lacking = true;
    await assert.rejects(a.overlays.prepare({ ...ENCRYPTED, name: "mon_default" }), (thrown) =>
      isKind(thrown, networkErrors["tunnel-tools"]),
    );
    await pass([a]);
    assert.equal(a.host.devices.size, 0);
    assert.match(a.overlays.problem ?? "", /wg cannot be run/);
    a.tunnel.lacking = false;
    await pass([a]);
    assert.equal(a.host.devices.size, 1);
    assert.equal(a.overlays.problem, undefined);
  });

  test("a network is encrypted on all hosts or on none", async () => {
    await using store = await openMemory();
    await using a = await startOverlayNode(1, store);
    await using b = await startOverlayNode(2, store, { encrypts: true });
    await a.join();
    const refused = b.overlays.prepare(NETWORK);
    await assert.rejects(refused, (thrown) => isKind(thrown, controlErrors["overlay-encryption"]));
    await b.overlays.prepare({ ...NETWORK, options: { encrypted: "false" } });
  });

  test("a key is known before it is used, and then the one before is forgotten", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a, b] = await startTwo(store, stack);
    assert.equal(await a.overlays.rotate({ actor: "somebody" }), 2);
    await settle("the next key is known", () => peersOf(a).length === 2 && peersOf(b).length === 2);
    assert.deepEqual(peersOf(a), ["20 198.51.100.2", "21 none"]);
    await pass([a, b]);
    await pass([a, b]);
    await settle("it is used", () => peersOf(a).join() === "21 198.51.100.2");
    await settle("on both", () => peersOf(b).join() === "11 198.51.100.1");
    assert.ok(a.acts.includes("network.rotate") && b.acts.includes("network.rotate"));
    await pass([a, b]);
    assert.equal(peersOf(a).join(), "21 198.51.100.2", "once is enough");
  });

  test("a key that is old is changed", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a, b] = await startTwo(store, stack);
    a.clock.advance(30 * DAY_MS);
    await settle("the next key is known", () => peersOf(b).length === 2);
    await pass([a]);
    await pass([a]);
    await settle("it is used", () => peersOf(b).join() === "11 198.51.100.1");
  });

  test("a store that has lost all takes nobody's key away, and gets it back", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a, b] = await startTwo(store, stack);
    const { entries } = await store.list("networks/");
    await store.transact(entries.map(({ key }) => ({ kind: "delete", key })));
    await settle("the keys are there again", async () => {
      const found = await store.list("networks/key/");
      return found.entries.length === 2;
    });
    await pass([a, b]);
    assert.deepEqual(peersOf(a), ["20 198.51.100.2"]);
  });

  test("who has no encrypted network any more has no device, and no key in the store", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const [a] = await startTwo(store, stack);
    a.leave();
    // The engine is given time to show a network that it was asked for.
    a.clock.advance(60_000);
    await settle("it is gone", () => a.tunnel.devices.size === 0);
    await settle(
      "its key too",
      async () => (await store.list("networks/key/")).entries.length === 1,
    );
  });
});
