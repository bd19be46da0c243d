// SPDX-License-Identifier: Apache-2.0
// Rules about what holds inside of an instance.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAddress } from "#base/addresses.ts";
import { until } from "#lab/rig.ts";
import { sendAs } from "#lab/send-as.ts";
import { lookUp } from "#policy/look-up.ts";
import type { AddressRange, DirectionTable } from "#policy/verdict-table.ts";
import { findWrong } from "./ground.ts";
import { allow, toWard, type Rule } from "./rule.ts";

/** What is denied is given so long to arrive all the same, ms. */
const QUIET_MS = 300;
const ALL = { classes: [{ everything: true, ranges: [] }], hosts: new Map() } as const;

function block(first: string, last: string, index: number): AddressRange {
  const [from, to] = [parseAddress(first), parseAddress(last)];
  assert.ok(from !== undefined && to !== undefined);
  return { family: from.family, first: from.value, last: to.value, class: index };
}

/** Many hosts, blocks around some of them, ports of all kinds. */
function makeLarge(): DirectionTable {
  const ports = (protocol: "TCP" | "UDP" | "SCTP" | "ICMP", first: number, last = first) => ({
    protocol,
    first,
    last,
  });
  const many = Array.from({ length: 20 }, (_, index) => ports("TCP", 1_000 + index * 7));
  const hosts = new Map<string, number>();
  for (let index = 0; index < 300; index += 1)
    hosts.set(`10.9.${index >> 4}.${(index & 15) * 3}`, index % 4);
  for (let index = 1; index < 40; index += 1) hosts.set(`fd09::${index.toString(16)}`, index % 4);
  return {
    classes: [
      { everything: false, ranges: [ports("TCP", 80), ports("TCP", 8_000, 8_999)] },
      { everything: false, ranges: [ports("UDP", 53), ports("ICMP", 0)] },
      { everything: true, ranges: [] },
      { everything: false, ranges: [...many, ports("UDP", 1, 65_535), ports("SCTP", 36_412)] },
    ],
    hosts,
    blocks: [
      block("10.9.1.0", "10.9.1.255", 1),
      block("10.9.3.10", "10.9.5.20", 3),
      block("192.0.2.0", "192.0.2.127", 0),
      block("fd09::8", "fd09::f", 0),
      block("fd10::", "fd10::ffff:ffff", 2),
    ],
  };
}

export const tableRules: Readonly<Record<string, Rule>> = {
  "who may call is answered, and nobody else": async ({ ground, guard, ...ends }) => {
    const { web, friend, stranger } = ends;
    const ward = toWard(web, { ingress: allow([friend.v4, friend.v6]) });
    assert.equal(await guard.protect(ward), "installed");
    const cases = [
      [friend, web, 80, true],
      [friend, web, 81, false],
      [stranger, web, 80, false],
      // What it begins itself is another matter, and answers come through.
      [web, stranger, 81, true],
      [friend, stranger, 81, true],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    const { denied, drops } = (await guard.inspect(web)) ?? {};
    assert.equal(drops, true);
    assert.ok((denied?.ingress ?? 0) > 0);
    assert.equal(denied?.egress, 0);
  },

  "who may be called answers, and nobody else": async ({ ground, guard, ...ends }) => {
    const { web, friend, stranger } = ends;
    await guard.protect(toWard(web, { egress: allow([friend.v4, friend.v6]) }));
    const cases = [
      [web, friend, 80, true],
      [web, friend, 8_080, false],
      [web, stranger, 80, false],
      [stranger, web, 81, true],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    assert.ok(((await guard.inspect(web))?.denied.egress ?? 0) > 0);
  },

  "nothing at all passes where nothing is allowed, and one family is not the other": async (
    fixture,
  ) => {
    const { ground, guard, web, friend } = fixture;
    await guard.protect(toWard(web, { ingress: allow([]), egress: allow([]) }));
    const none = [
      [friend, web, 80, false],
      [web, friend, 80, false],
    ] as const;
    assert.deepEqual(await findWrong(ground, none), []);
    await guard.protect(toWard(web, { ingress: allow([friend.v4]) }));
    const probes = [web.v4, web.v6].map((address) => {
      const expect = address === web.v4;
      return { from: friend.name, address, protocol: "TCP", port: 80, expect } as const;
    });
    assert.deepEqual(await ground.packets.ask(probes), [true, false]);
  },

  "blocks, and exceptions from them": async ({ ground, guard, web, friend, stranger }) => {
    const blocks = [block("10.66.0.0", "10.66.0.2", 0), block("fd66::", "fd66::2", 0)];
    await guard.protect(toWard(web, { ingress: { ...ALL, blocks } }));
    const cases = [
      [friend, web, 81, true],
      [stranger, web, 81, false],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
  },

  "what a change forbids ends at once, and goes on when it is allowed again": async (fixture) => {
    const { ground, guard, web, friend } = fixture;
    const all = { ...ALL, blocks: [block("10.66.0.0", "10.66.0.255", 0)] };
    const open = toWard(web, { ingress: all });
    const shut = toWard(web, { ingress: allow([]) });
    // Connections are known from their beginning where anything inside looks at them, as the engine's name service does.
    await guard.protect(toWard(friend, { egress: all }));
    await guard.protect(open);
    const talk = await ground.talk(friend, web);
    talk.say("one");
    await talk.until(1);
    await guard.protect(shut);
    talk.say("two");
    await sleep(QUIET_MS);
    assert.deepEqual(talk.heard, ["one"]);
    await guard.protect(open);
    await talk.until(2);
    // The same for who called: what he has begun ends too.
    await guard.protect(toWard(friend, { egress: allow([]) }));
    talk.say("three");
    await sleep(QUIET_MS);
    assert.deepEqual(talk.heard, ["one", "two"]);
  },

  "with `watch` all passes, and what would not is counted": async ({ ground, guard, ...ends }) => {
    const { web, friend, stranger } = ends;
    await guard.protect(toWard(web, { ingress: allow([friend.v4, friend.v6]) }, "watch"));
    const cases = [
      [friend, web, 80, true],
      [stranger, web, 80, true],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    const installed = await guard.inspect(web);
    assert.equal(installed?.drops, false);
    assert.ok(installed.denied.ingress > 0);
    const seen = installed.sights.reduce((sum, { packets }) => sum + packets, installed.lost);
    assert.ok(seen > 0, "conversations are counted, apart or together");
  },

  "rules that were changed are made again, and what was counted stays": async (fixture) => {
    const { ground, guard, web, friend, stranger, spoil, reopen } = fixture;
    const ward = toWard(web, { ingress: allow([friend.v4, friend.v6]) });
    assert.equal(await guard.protect(ward), "installed");
    assert.equal(await guard.protect(ward), "unchanged");
    const cases = [
      [stranger, web, 80, false],
      [friend, web, 80, true],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    const before = (await guard.inspect(web))?.denied.ingress ?? 0;
    assert.ok(before > 0);
    await guard.protect(toWard(web, { ingress: allow([friend.v4, friend.v6, "10.66.0.77"]) }));
    const later = (await guard.inspect(web))?.denied.ingress ?? 0;
    assert.ok(later >= before, `${later} after ${before}`);
    await guard.protect(ward);
    spoil(web);
    assert.equal(await guard.inspect(web), undefined);
    assert.equal(await guard.protect(ward), "drifted");
    assert.deepEqual(await findWrong(ground, cases), []);
    // Another life knows of nothing, and makes it anew.
    assert.equal(await reopen().protect(ward), "installed");
    assert.deepEqual(await findWrong(ground, cases), []);
    assert.equal(await guard.release(web), true);
    assert.equal(await guard.release(web), false);
    assert.deepEqual(await findWrong(ground, [[stranger, web, 80, true]]), []);
  },

  "what stands says the same as the table, asked about anybody": async ({ guard, web }) => {
    const table = makeLarge();
    await guard.protect(toWard(web, { ingress: table, egress: table }));
    const installed = await guard.inspect(web);
    assert.ok(installed !== undefined);
    const addresses = [
      ...[0, 1, 3, 4, 5, 18].flatMap((third) =>
        [0, 1, 9, 10, 12, 20, 21, 45, 200].map((last) => `10.9.${third}.${last}`),
      ),
      "fd09:: fd09::7 fd09::8 fd09::b fd09::f fd09::27 fd09::28 fd10::5 fd10::1:0:0".split(" "),
      "192.0.2.0 192.0.2.127 192.0.2.128 8.8.8.8".split(" "),
    ].flat();
    const questions = addresses.flatMap((address) =>
      ([80, 53, 1_007, 1_008, 8_500, 36_412] as const).flatMap((port) =>
        (["TCP", "UDP", "SCTP", "ICMP"] as const).map((protocol) => ({
          address,
          protocol,
          port: protocol === "ICMP" ? 0 : port,
        })),
      ),
    );
    for (const direction of ["ingress", "egress"] as const) {
      const wrong: readonly unknown[] = questions.filter(
        (one) => installed.allows({ ...one, direction }) !== lookUp(table, one),
      );
      assert.deepEqual(wrong, []);
    }
    assert.ok(questions.some((one) => lookUp(table, one)));
  },

  "what was sent on a macvlan before the rules were in does not go out after": async (fixture) => {
    const { ground, guard } = fixture;
    const { start, stop, packets, onHost } = ground;
    onHost("ip", "link", "add", "wide0", "type", "veth", "peer", "name", "wide1");
    for (const device of ["wide0", "wide1"]) onHost("ip", "link", "set", device, "up");
    const needle = randomBytes(12).toString("hex");
    const gone = await packets.watch("host", "wide1", Buffer.from(needle));
    const first = await start("first", 6, { beside: "wide0" });
    // Nobody has the address yet, so that the packet waits inside for a MAC.
    first.inside("bash", "-c", `echo ${needle} > /dev/udp/10.66.0.7/80`);
    await guard.protect(toWard(first, { egress: allow([]) }));
    await until(
      "it is let go of",
      10_000,
      () => first.inside("ip", "neigh", "show", "nud", "incomplete").trim() === "",
    );
    const second = await start("second", 7, { beside: "wide1" });
    const called = { from: "second", address: first.v4, protocol: "TCP", port: 80 } as const;
    assert.deepEqual(await packets.ask([{ ...called, expect: true }]), [true]);
    await sleep(QUIET_MS);
    assert.equal(await gone(), 0);
    await guard.release(first);
    for (const end of [first, second]) await stop(end);
    onHost("ip", "link", "del", "wide0");
  },

  "on a macvlan no program sends under an IPv6 address that is not its own": async (fixture) => {
    const { ground, guard } = fixture;
    const { start, stop, packets, onHost } = ground;
    onHost("ip", "link", "add", "wide0", "type", "veth", "peer", "name", "wide1");
    for (const device of ["wide0", "wide1"]) onHost("ip", "link", "set", device, "up");
    const first = await start("third", 6, { beside: "wide0" });
    const second = await start("fourth", 7, { beside: "wide1" });
    for (const [{ inside }, link] of [
      [first, "fe80::6"],
      [second, "fe80::7"],
    ] as const)
      inside("ip", "address", "add", `${link}/64`, "dev", "eth0", "nodad");
    const needle = randomBytes(12).toString("hex");
    const arrived = await packets.watch("fourth", "eth0", Buffer.from(needle));
    const others = (): void =>
      sendAs(first.inside, needle, [
        ["fd66::99", second.v6],
        ["2001:db8::1", second.v6],
        ["fe80::99", "fe80::7"],
      ]);
    const own = (): void =>
      sendAs(first.inside, needle, [
        [first.v6, second.v6],
        ["fe80::6", "fe80::7"],
      ]);
    const isThere = (count: number) =>
      until(`${count} are there`, 10_000, async () => (await arrived()) >= count);
    others();
    await isThere(3);
    const quiet = [{ protocol: "UDP", first: 7_900, last: 7_900 }] as const;
    const egress = allow([second.v6, "fe80::7"], quiet);
    const tables = [{}, { ingress: allow([]) }, { egress }];
    for (const [index, table] of tables.entries()) {
      await guard.protect(toWard(first, table));
      others();
      // Sent last: what went before is there when these are.
      own();
      await isThere(5 + 2 * index);
      assert.equal(await arrived(), 5 + 2 * index, JSON.stringify(Object.keys(table)));
    }
    await guard.protect(toWard(first, { ingress: allow([]) }, "watch"));
    const before = (await guard.inspect(first))?.denied.egress ?? 0;
    others();
    await isThere(12);
    assert.equal((await guard.inspect(first))?.denied.egress, before + 3, "it is counted");
    await guard.protect({ ...toWard(first, { ingress: allow([]) }, "watch"), asItself: true });
    others();
    own();
    await isThere(14);
    assert.equal(await arrived(), 14, "where somebody else is guarded it does not pass");
    await guard.release(first);
    for (const end of [first, second]) await stop(end);
    onHost("ip", "link", "del", "wide0");
  },

  "a probe says what becomes of a packet, and a place that is another's is left alone": async (
    fixture,
  ) => {
    const { guard, web, friend, stranger } = fixture;
    await guard.protect(toWard(web, { ingress: allow([friend.v4]) }));
    const to = { address: web.v4, protocol: "TCP", port: 80 } as const;
    assert.equal((await guard.probe(friend, to, web)).verdict, "allow");
    assert.equal((await guard.probe(stranger, to, web)).verdict, "deny");
    const gone = { ...web, id: friend.id };
    await assert.rejects(guard.protect(toWard(gone, {})), /FL1702|another's/);
    assert.equal(await guard.release(gone), false);
    const host = { ...web, pid: process.pid };
    await assert.rejects(guard.protect(toWard(host, {})));
  },
};
