// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Installed, Sight } from "#guard/guard.ts";
import type { PolicyInstance } from "#policy/world.ts";
import { createFlowBook, type FlowScene } from "./flow-book.ts";

const instance = (service: string, ...addresses: readonly string[]): PolicyInstance => ({
  id: service,
  name: `shop-${service}-1`,
  scope: "shop",
  service,
  labels: {},
  addresses,
  ports: [],
});
const WEB = instance("web", "10.0.0.1", "fd00::1");
const DB = instance("db", "10.0.0.2", "fd00::2");
const sight = (direction: Sight["direction"], address: string, packets: number): Sight => ({
  direction,
  verdict: "allowed",
  address,
  protocol: "tcp",
  port: 5432,
  packets,
  idleSeconds: 0,
});
const denied = (one: Sight): Sight => ({ ...one, verdict: "denied" });
const counted = (sights: readonly Sight[], lost = 0, drops = true): Installed => ({
  drops,
  allows: () => true,
  denied: { ingress: 0, egress: 0 },
  sights,
  lost,
});
const scene = (nowMs: number): FlowScene => ({
  nowMs,
  findOwner: (address) => [WEB, DB].find(({ addresses }) => addresses.includes(address)),
  findName: () => undefined,
  explain: (_, { direction }) => ({ direction, verdict: "allow" }),
});
const tell = (book: ReturnType<typeof createFlowBook>, nowMs = 1_000): readonly string[] =>
  book
    .list(nowMs)
    .map(
      ({ from, to, direction, verdict, count }) =>
        `${from.service ?? from.address} ${to.service ?? to.address} ${direction} ${verdict} ${count}`,
    );

describe("take()", () => {
  test("gives what is new since the last time, and nothing when nothing is", () => {
    const book = createFlowBook();
    const first = book.take(DB, counted([sight("ingress", "10.0.0.1", 3)]), scene(1_000));
    const second = book.take(DB, counted([sight("ingress", "10.0.0.1", 5)]), scene(2_000));
    const third = book.take(DB, counted([sight("ingress", "10.0.0.1", 5)]), scene(3_000));
    assert.deepEqual(
      [first, second, third].map((flows) => flows.map(({ count }) => count)),
      [[3], [2], []],
    );
  });

  test("a count that began anew is added to what was known", () => {
    const book = createFlowBook();
    book.take(DB, counted([sight("ingress", "10.0.0.1", 7)]), scene(1_000));
    book.take(DB, counted([sight("ingress", "10.0.0.1", 2)]), scene(1_000));
    assert.deepEqual(tell(book), ["web db ingress allowed 9"]);
  });

  test("what was watched and is dropped now are two", () => {
    const book = createFlowBook();
    const one = denied(sight("ingress", "10.0.0.1", 4));
    book.take(DB, counted([one], 0, false), scene(1_000));
    book.take(DB, counted([{ ...one, packets: 5 }]), scene(1_000));
    assert.deepEqual(tell(book).toSorted(), [
      "web db ingress dropped 1",
      "web db ingress would-drop 4",
    ]);
  });

  test("what there was no room for is counted once", () => {
    const book = createFlowBook();
    for (const lost of [5, 5, 7]) book.take(DB, counted([], lost), scene(1_000));
    assert.equal(book.lost, 7);
  });

  test("more than there is room for are forgotten, those not seen for longest first", () => {
    const book = createFlowBook();
    const ports = Array.from({ length: 21_000 }, (_, port) => ({
      ...sight("ingress", "192.0.2.1", 1),
      port,
    }));
    book.take(DB, counted(ports), scene(1_000));
    const kept = book.list(1_000);
    assert.equal(kept.length, 20_000);
    assert.equal(book.lost, 1_000);
    assert.ok(kept.every(({ port }) => port >= 1_000));
  });

  test("nothing is known of who looks for a router", () => {
    const book = createFlowBook();
    const one = { ...sight("egress", "ff02::2", 9), protocol: "ipv6-icmp", port: 0 };
    assert.deepEqual(book.take(WEB, counted([one]), scene(1_000)), []);
  });
});

describe("list()", () => {
  test("what both sides counted is told once, over both families", () => {
    const book = createFlowBook();
    book.take(WEB, counted([sight("egress", "10.0.0.2", 3)]), scene(1_000));
    const both = [sight("ingress", "10.0.0.1", 3), sight("ingress", "fd00::1", 1)];
    book.take(DB, counted(both), scene(1_000));
    assert.deepEqual(tell(book), ["web db ingress allowed 4"]);
  });

  test("what one side let go and the other dropped is dropped", () => {
    const book = createFlowBook();
    book.take(WEB, counted([sight("egress", "10.0.0.2", 3)]), scene(1_000));
    book.take(DB, counted([denied(sight("ingress", "10.0.0.1", 3))]), scene(1_000));
    assert.deepEqual(tell(book), ["web db ingress dropped 3"]);
  });

  test("a day later nothing is known of it", () => {
    const book = createFlowBook();
    book.take(WEB, counted([sight("egress", "192.0.2.1", 3)]), scene(1_000));
    assert.equal(tell(book, 86_400_000).length, 1);
    assert.equal(tell(book, 86_500_000).length, 0);
  });
});
