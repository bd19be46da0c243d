// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseBlock } from "#base/addresses.ts";
import { isKind } from "#base/errors.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { controlErrors } from "./errors.ts";
import { NETWORK, settle, startOverlayNode } from "./testing/overlay-node.ts";

const openMemory = (): Promise<Store> =>
  openStore({ kind: "memory" }, { clock: createManualClock() });

const keysOf = async (store: Store): Promise<readonly string[]> =>
  (await store.list("networks/")).entries.map(({ key }) => key);

type OverlayNode = Awaited<ReturnType<typeof startOverlayNode>>;

/** Two nodes that have joined the network. */
async function startTwo() {
  await using started = new AsyncDisposableStack();
  const store = started.use(await openMemory());
  const a = started.use(await startOverlayNode(1, store));
  const b = started.use(await startOverlayNode(2, store));
  await a.join();
  await b.join();
  const all = started.move();
  return { store, a, b, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** An instance on the first, until the second knows it. */
async function runOne({ a, b }: { readonly a: OverlayNode; readonly b: OverlayNode }) {
  a.run("one", "02:42:0a:80:00:02", "10.128.0.2");
  await settle("b knows it", () => b.entries().length === 3);
}

describe("createOverlays()", () => {
  test("makes of a network with the driver vxlan a bridge with a range of this host's own", async () => {
    await using store = await openMemory();
    await using a = await startOverlayNode(1, store);
    await using b = await startOverlayNode(2, store);
    const [first, second] = [await a.join(), await b.join()];
    assert.equal(first.driver, "bridge");
    assert.deepEqual(first.options, {
      "com.docker.network.bridge.name": "flb100000",
      "com.docker.network.driver.mtu": "1450",
    });
    assert.deepEqual(first.ipam?.config, [
      { Subnet: "10.128.0.0/18", IPRange: "10.128.0.0/24", Gateway: "10.128.0.1" },
      { Subnet: "fd66:6c76::/64", IPRange: "fd66:6c76::/80", Gateway: "fd66:6c76::1" },
    ]);
    assert.deepEqual(second.ipam?.config, [
      { Subnet: "10.128.0.0/18", IPRange: "10.128.1.0/24", Gateway: "10.128.1.1" },
      { Subnet: "fd66:6c76::/64", IPRange: "fd66:6c76:0:0:1::/80", Gateway: "fd66:6c76::1:0:0:1" },
    ]);
    assert.deepEqual(await a.overlays.prepare(NETWORK), first, "asked again it is the same");
    const plain = { ...NETWORK, driver: "bridge" };
    assert.equal(await a.overlays.prepare(plain), plain);
  });

  test("what a host has itself is given to no network, and keeps it out of one that has it", async () => {
    await using store = await openMemory();
    const own = (device: string, text: string) => {
      const block = parseBlock(text);
      assert.ok(block !== undefined);
      return { listHostNetworks: () => [{ device, block }] };
    };
    await using a = await startOverlayNode(1, store, own("eth1", "10.128.0.0/24"));
    const { ipam } = await a.join();
    assert.equal(ipam?.config?.[0]?.Subnet, "10.128.64.0/18");
    await using b = await startOverlayNode(2, store, own("vpn0", "10.128.65.0/24"));
    await assert.rejects(b.overlays.prepare(NETWORK), (thrown) => {
      assert.ok(isKind(thrown, controlErrors["overlay-ranges"]));
      assert.match(thrown.message, /shop_default has addresses that this host has on vpn0/);
      assert.equal(thrown.facts["vpn0"], "10.128.65.0/24");
      return true;
    });
    const named = { ...NETWORK, name: "own", ipam: { config: [{ Subnet: "10.128.65.0/24" }] } };
    await assert.rejects(b.overlays.prepare(named), /on vpn0/);
    await using c = await startOverlayNode(3, store, own("eth0", "10.0.0.0/8"));
    await assert.rejects(c.overlays.prepare({ ...NETWORK, name: "big" }), (thrown) => {
      assert.ok(isKind(thrown, controlErrors["overlay-ranges"]));
      assert.equal(thrown.facts["this host has"], "10.0.0.0/8 on eth0");
      return true;
    });
  });

  test("nodes that claim at once get what nobody else has", async () => {
    await using store = await openMemory();
    await using stack = new AsyncDisposableStack();
    const nodes = [];
    for (let n = 1; n <= 6; n++) nodes.push(stack.use(await startOverlayNode(n, store)));
    const names = ["shop_default", "mon_default"];
    const made = await Promise.all(
      nodes.flatMap((node) => names.map((name) => node.overlays.prepare({ ...NETWORK, name }))),
    );
    const ranges = made.flatMap(({ ipam }) => (ipam?.config ?? []).map(({ IPRange }) => IPRange));
    assert.equal(new Set(ranges).size, 6 * 2 * 2);
    assert.equal(new Set(made.map(({ labels }) => labels["io.fairlead.overlay"])).size, 2);
  });

  test("an instance is known on the other hosts, moves with its host, and goes", async () => {
    await using two = await startTwo();
    const { a, b } = two;
    a.run("one", "02:42:0a:80:00:02", "10.128.0.2", "fd66:6c76::2");
    const wanted = [
      "forward 02:42:0a:80:00:02 198.51.100.1",
      "bridge 02:42:0a:80:00:02",
      "neighbour 10.128.0.2 02:42:0a:80:00:02",
      "neighbour fd66:6c76::2 02:42:0a:80:00:02",
    ];
    await settle("b knows it", () => b.entries().length === 4);
    assert.deepEqual(b.entries(), wanted);
    assert.deepEqual(a.entries(), []);
    const [view] = b.overlays.list();
    assert.deepEqual(
      view?.hosts.map(({ name, instances }) => [name, instances.length]),
      [
        ["node2", 0],
        ["node1", 1],
      ],
    );
    a.end("one");
    await settle("b has forgotten it", () => b.entries().length === 0);
    assert.deepEqual(a.acts.concat(b.acts), ["network.join", "network.join"]);
  });

  test("what is in another host's range, or not of the network, is not believed", async () => {
    await using two = await startTwo();
    const { a, b } = two;
    a.run("thief", "02:42:0a:80:00:02", "10.128.1.2");
    a.run("stray", "02:42:0a:80:00:03", "192.0.2.7");
    a.run("sound", "02:42:0a:80:00:04", "10.128.0.4");
    await settle("b knows the sound one", () => b.entries().length === 3);
    assert.deepEqual(
      b.overlays
        .list()[0]
        ?.refused.map(({ why }) => why)
        .toSorted(),
      ["10.128.1.2 is of another host's range", "192.0.2.7 is not of the network"],
    );
  });

  test("a network is as large as the smallest way, and broken when a way gets smaller", async () => {
    await using store = await openMemory();
    let mtu = 1_400;
    const path = { from: "node1", to: "node2", node: "node2", address: "", blackHole: false };
    const listeners: (() => void)[] = [];
    const paths = {
      list: () => [{ ...path, mtu }],
      settle: () => Promise.resolve(),
      onChange(listener: () => void) {
        listeners.push(listener);
        return () => undefined;
      },
    };
    await using a = await startOverlayNode(1, store, { paths });
    await using b = await startOverlayNode(2, store);
    await a.join();
    await b.join();
    await runOne({ a, b });
    assert.equal(b.overlays.list()[0]?.mtu, 1_350);
    assert.equal(b.overlays.list()[0]?.state, "joined");
    mtu = 1_300;
    for (const listener of listeners) listener();
    await settle("b knows of the way", () => b.overlays.list()[0]?.state === "broken");
    assert.equal(
      b.overlays.list()[0]?.problem,
      "from node1 to node2 packets of 1300 bytes pass, and the network needs 1400",
    );
  });

  test("what somebody else has changed is repaired, and a decision says so", async () => {
    await using two = await startTwo();
    const { b } = two;
    await runOne(two);
    const fact = b.host.devices.get("flv100000");
    assert.ok(fact !== undefined);
    b.host.devices.set("flv100000", { ...fact, entries: fact.entries.slice(1) });
    await settle("it rests", () => b.clock.sleeping > 0);
    await b.clock.advance(5_000);
    await settle("it is repaired", () => b.acts.includes("network.repair"));
    assert.equal(b.entries().length, 3);
  });

  test("a network that the engine lost is gone here at once, and given back after a while", async () => {
    await using two = await startTwo();
    const { store, a, b } = two;
    await runOne(two);
    a.leave();
    await settle("a has no device", () => a.host.devices.size === 0);
    await settle("b has forgotten it", () => b.entries().length === 0);
    await settle("a keeps its range", () => a.acts.includes("network.leave"));
    assert.ok((await keysOf(store)).includes("networks/range/shop_default/node1"));
    await giveBack(a);
    await settle("a's range is free", async () => {
      const keys = await keysOf(store);
      return !keys.includes("networks/range/shop_default/node1");
    });
    assert.ok((await keysOf(store)).includes("networks/def/shop_default"), "b still has it");
    b.leave();
    await settle("b has no device", () => b.host.devices.size === 0);
    await giveBack(b);
    await settle("nothing is left", async () => (await keysOf(store)).length === 1);
    assert.deepEqual(await keysOf(store), ["networks/turn"]);
  });

  test("a store that lost all gets it back, and no device goes for that", async () => {
    await using two = await startTwo();
    const { store, b } = two;
    await runOne(two);
    const before = await keysOf(store);
    await store.transact(before.map((key) => ({ kind: "delete", key })));
    await settle("all is there again", async () => {
      const keys = await keysOf(store);
      return before.every((key) => keys.includes(key));
    });
    await settle("b knows it again", () => b.entries().length === 3);
    assert.ok(!b.acts.includes("network.leave"));
  });

  test("what a node has left that was taken from the fleet is given back", async () => {
    await using store = await openMemory();
    const nodes = new Map([["node1", "a"]]);
    await using a = await startOverlayNode(1, store, { readNodes: () => nodes });
    await a.join();
    {
      await using b = await startOverlayNode(2, store);
      nodes.set("node2", "b");
      await b.join();
      b.run("two", "02:42:0a:80:01:02", "10.128.1.2");
      await settle("a knows it", () => a.entries().length === 3);
    }
    await giveBack(a);
    assert.equal(a.entries().length, 3, "a node that is away keeps what it has");
    nodes.delete("node2");
    await giveBack(a);
    await settle("its entries are gone", () => a.entries().length === 0);
    assert.deepEqual(
      (await keysOf(store)).filter((key) => key.includes("node2")),
      [],
    );
    assert.ok((await keysOf(store)).includes("networks/range/shop_default/node1"));
  });

  test("a range that another host has got meanwhile is not taken back", async () => {
    await using store = await openMemory();
    await using a = await startOverlayNode(1, store);
    await a.join();
    await settle("it holds its range", () => a.overlays.list()[0]?.state === "joined");
    const key = "networks/range/shop_default/node1";
    await store.transact([
      { kind: "delete", key },
      {
        kind: "put",
        key: "networks/range/shop_default/node2",
        value: { blocks: ["10.128.0.0/24"] },
      },
    ]);
    await settle("it says so", () => a.overlays.problem?.includes("given to another") === true);
    assert.ok(!(await keysOf(store)).includes(key));
  });

  test("subnets that a file names are shared among hosts, and overlap no others", async () => {
    await using store = await openMemory();
    await using a = await startOverlayNode(1, store);
    const name = (network: string, Subnet: string) =>
      a.overlays.prepare({ ...NETWORK, name: network, ipam: { config: [{ Subnet }] } });
    const made = await name("one", "10.9.0.0/16");
    assert.deepEqual(made.ipam?.config, [
      { Subnet: "10.9.0.0/16", IPRange: "10.9.0.0/22", Gateway: "10.9.0.1" },
    ]);
    for (const [network, subnet] of [
      ["two", "10.9.4.0/24"],
      ["two", "10.10.0.0/30"],
      ["two", "10.10.0.1/16"],
      ["one", "10.10.0.0/16"],
    ] as const)
      await assert.rejects(name(network, subnet), (thrown) =>
        isKind(thrown, controlErrors["overlay-ranges"]),
      );
  });

  test("a node without a fleet refuses, and says what to do", async () => {
    await using store = await openMemory();
    await using a = await startOverlayNode(1, store, { openStore: undefined });
    await assert.rejects(a.overlays.prepare(NETWORK), (thrown) =>
      isKind(thrown, controlErrors["overlay-no-fleet"]),
    );
  });
});

/** Lets the time pass that a range is kept. */
async function giveBack(node: Awaited<ReturnType<typeof startOverlayNode>>): Promise<void> {
  for (let step = 0; step < 8; step++) {
    await settle("it rests", () => node.clock.sleeping > 0);
    await node.clock.advance(5_000);
  }
}
