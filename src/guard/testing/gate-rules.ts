// SPDX-License-Identifier: Apache-2.0
// Rules about bridges: what holds before an instance is ready, and as whom it may send.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { arp, icmp6, udp4, udp6 } from "#lab/frames.ts";
import { until } from "#lab/rig.ts";
import { asGuest, findWrong, makeOrder } from "./ground.ts";
import { allow, toWard, type Rule } from "./rule.ts";

const PATIENCE_MS = 10_000;

export const gateRules: Readonly<Record<string, Rule>> = {
  "a port carries nothing before its instance is ready, and never again for another": async (
    fixture,
  ) => {
    const { ground, guard, web, friend, stranger } = fixture;
    const order = makeOrder([asGuest(web), asGuest(friend)]);
    assert.equal((await guard.gate(order)).protection, "installed");
    assert.equal((await guard.gate(order)).protection, "unchanged");
    const cases = [
      [friend, web, 80, true],
      [web, friend, 80, true],
      [stranger, web, 80, false],
      [web, stranger, 80, false],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    const host = { address: "10.66.0.254", protocol: "TCP", port: 80 } as const;
    const asked = [
      { ...host, from: "web", expect: true },
      { ...host, from: "stranger", expect: false },
      { ...host, from: "host", address: web.v4, expect: true },
      { ...host, from: "host", address: stranger.v4, expect: false },
    ];
    assert.deepEqual(await ground.packets.ask(asked), [true, false, true, false]);
    // Whoever gets its address next has another port.
    const late = await ground.start("late", 4);
    assert.deepEqual(await findWrong(ground, [[late, web, 80, false]]), []);
    const all = [...order.ready, asGuest(late)];
    assert.equal((await guard.gate(makeOrder(all))).protection, "installed");
    assert.deepEqual(await findWrong(ground, [[late, web, 80, true]]), []);
    await ground.stop(late);
    const again = await ground.start("again", 4);
    assert.deepEqual(await findWrong(ground, [[again, web, 80, false]]), []);
    await ground.stop(again);
  },

  "nobody sends as another": async ({ ground, guard, web, friend, stranger }) => {
    await guard.gate(makeOrder([web, friend, stranger].map((end) => asGuest(end))));
    const needle = Buffer.from(randomBytes(12));
    const arrived = await ground.packets.watch("web", "eth0", needle);
    const link = { from: stranger.mac, to: web.mac };
    // Where nobody answers: an answer that is not waited for is complained of, with all that was in it.
    const data = { port: 7_900, payload: needle };
    const [to, to6] = [web.v4, web.v6];
    const send = (frame: Buffer) => ground.packets.send("stranger", "eth0", [frame]);
    const forged = { ...link, from: friend.mac };
    const frames: Readonly<Record<string, Buffer>> = {
      "another's IPv4 address": udp4(link, { from: friend.v4, to, ...data }),
      "another's MAC": udp4(forged, { from: stranger.v4, to, ...data }),
      "another's address and MAC": udp4(forged, { from: friend.v4, to, ...data }),
      "an address of nobody": udp4(link, { from: "10.66.0.99", to, ...data }),
      "another's IPv6 address": udp6(link, { from: friend.v6, to: to6, ...data }),
      "ARP: another's address is here": arp(link, { sender: friend.v4, target: to }, needle),
      "ARP: another's MAC": arp(link, { sender: stranger.v4, target: to, mac: friend.mac }, needle),
      "router advertisement": icmp6(link, { from: stranger.v6, to: to6, type: 134 }, needle),
    };
    const through: string[] = [];
    let own = 0;
    for (const [name, frame] of Object.entries(frames)) {
      const before = await arrived();
      await send(frame);
      // What is sent after it is his own: when that is there, so is what was before it.
      await send(udp4(link, { from: stranger.v4, to, ...data }));
      await until("his own arrives", PATIENCE_MS, async () => (await arrived()) > before);
      if ((await arrived()) !== before + 1) through.push(name);
      own += 1;
    }
    assert.deepEqual(through, []);
    assert.equal(await arrived(), own);
    assert.deepEqual(await findWrong(ground, [[stranger, web, 80, true]]), []);
  },

  "what was sent before the rules were in does not come through when the port opens": async (
    fixture,
  ) => {
    const { ground, guard, web, friend } = fixture;
    await guard.gate(makeOrder([asGuest(web), asGuest(friend)]));
    const needle = randomBytes(12).toString("hex");
    const arrived = await ground.packets.watch("web", "eth0", Buffer.from(needle));
    const late = await ground.start("early", 4);
    // It waits inside for a MAC that it is not told.
    const text = `exec 3<>/dev/udp/${web.v4}/80; printf '%s' "$1" >&3`;
    late.inside("bash", "-c", text, "-", needle);
    const waits = late.inside("ip", "neigh", "show", "nud", "incomplete");
    assert.match(waits, new RegExp(web.v4.replaceAll(".", "\\.")));
    const egress = allow([friend.v4, friend.v6]);
    await guard.protect(toWard(late, { egress }));
    await guard.gate(
      makeOrder([...[web, friend].map((end) => asGuest(end)), asGuest(late, { egress })]),
    );
    const cases = [
      [late, friend, 80, true],
      [late, web, 80, false],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
    assert.equal(await arrived(), 0);
    await ground.stop(late);
  },

  "who is ready no more is shut out, and without bridges everything passes": async (fixture) => {
    const { ground, guard, web, friend, countLeft } = fixture;
    await guard.gate(makeOrder([asGuest(web), asGuest(friend)]));
    await guard.gate(makeOrder([asGuest(web)]));
    assert.deepEqual(await findWrong(ground, [[friend, web, 80, false]]), []);
    await guard.gate(makeOrder([], { bridges: [] }));
    assert.equal(countLeft(), 0);
    assert.deepEqual(await findWrong(ground, [[friend, web, 80, true]]), []);
  },

  "a gate that stands holds for a guard that has just been opened": async (fixture) => {
    const { ground, guard, web, friend, stranger, reopen } = fixture;
    const order = makeOrder([asGuest(web), asGuest(friend)]);
    await guard.gate(order);
    const next = reopen();
    assert.deepEqual(await findWrong(ground, [[stranger, web, 80, false]]), []);
    await next.gate(order);
    const cases = [
      [friend, web, 80, true],
      [stranger, web, 80, false],
    ] as const;
    assert.deepEqual(await findWrong(ground, cases), []);
  },
};
