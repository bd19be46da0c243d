// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkFact } from "#model/facts.ts";
import type { OverlayAttachment } from "#network/overlay.ts";
import { createShortcuts } from "./shortcuts.ts";

const endpoint = (host: number, n: number) => ({
  host: `198.51.100.${host}`,
  mac: `02:42:0a:80:00:0${n}`,
  addresses: [`10.128.0.${n}`],
});
const SHOP: OverlayAttachment = {
  network: { name: "shop", vni: 0x10_0000, port: 4_789, mtu: 1_450 },
  host: "198.51.100.1",
  bridge: "flb100000",
  tunnel: undefined,
  endpoints: [endpoint(1, 1), endpoint(2, 2), endpoint(3, 3)],
};
const FACT: NetworkFact = { id: "n", name: "shop", driver: "bridge", labels: {} };
const APART = { ...FACT, options: { "com.docker.network.bridge.enable_icc": "false" } };

test("a network's shortcut leads to whoever is on another host, and is told when it changes", () => {
  const shortcuts = createShortcuts({ isOn: true });
  let told = 0;
  shortcuts.onChange(() => (told += 1));
  shortcuts.note([SHOP], [], [FACT]);
  const macs = ["02:42:0a:80:00:02", "02:42:0a:80:00:03"];
  const shortcut = { bridge: "flb100000", device: "flv100000", turn: 0, macs };
  assert.deepEqual([...shortcuts.list()], [["shop", shortcut]]);
  shortcuts.note([{ ...SHOP }], [], [FACT]);
  assert.equal(told, 1, "the same is no change");
  shortcuts.noteRepair([{ kind: "make", device: "flv100000", attachment: SHOP }]);
  assert.equal(shortcuts.list().get("shop")?.turn, 1, "a device that was made anew is another");
  shortcuts.note([], [], []);
  assert.equal(shortcuts.list().size, 0);
  assert.equal(told, 3);
});

test("where it is off, or the engine keeps containers apart, there is none, and that is said", () => {
  const off = createShortcuts({ isOn: false });
  off.note([SHOP], [], [FACT]);
  assert.equal(off.list().size, 0);
  assert.match(off.show("flb100000").why ?? "", /overlay\.shortcut is off/);
  const apart = createShortcuts({ isOn: true });
  apart.note([SHOP], [], [APART]);
  assert.equal(apart.list().size, 0);
  assert.match(apart.show("flb100000").why ?? "", /enable_icc/);
});

test("how many have it is shown, or why none has", () => {
  const shortcuts = createShortcuts({ isOn: true });
  shortcuts.note([SHOP], [], [FACT]);
  assert.deepEqual(shortcuts.show("flb100000"), { instances: 0 });
  shortcuts.settle({ past: new Map([["flb100000", 2]]), withheld: undefined });
  assert.deepEqual(shortcuts.show("flb100000"), { instances: 2 });
  shortcuts.settle({ past: new Map(), withheld: "not supported" });
  assert.deepEqual(shortcuts.show("flb100000"), { instances: 0, why: "not supported" });
});
