// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiscoveryWay } from "@fairlead/protocol/views.ts";
import { judgeDiscovery } from "./discovery-check.ts";
import { probeMulticast } from "./probe-multicast.ts";

function way(kind: DiscoveryWay["kind"], over: Partial<DiscoveryWay> = {}): DiscoveryWay {
  const where = kind === "multicast" ? "239.255.71.17:7118 on eth0" : "b:7119";
  const times = { heartbeatMs: 5_000, selfHeardMs: 1_000 };
  return { kind, state: "on", where, peers: [], counters: {}, ...times, ...over };
}
const peer = (name: string) => ({ name, state: "alive" as const, silentMs: 5, agents: 1 });
const silence = { problem: "nothing came back within 1000 ms" };

test("where a datagram comes back, multicast is in use, with those who are heard", () => {
  const { verdict, text } = judgeDiscovery([way("multicast", { peers: [peer("b")] })], 3);
  assert.equal(verdict, "ok");
  assert.equal(text, "multicast 239.255.71.17:7118 on eth0: 1 node heard");
});

test("where none comes back, it says what is in use instead", () => {
  const ways = [way("multicast"), way("seeds", { peers: [peer("b")] })];
  const finding = judgeDiscovery(ways, silence);
  assert.equal(finding.verdict, "warn");
  assert.equal(
    finding.text,
    "multicast does not pass: registry and seeds are in use, 1 node heard",
  );
  assert.match(finding.facts?.join(" ") ?? "", /nothing came back/);
});

test("a node that has not heard itself for two heartbeats is told of", () => {
  const { verdict } = judgeDiscovery([way("multicast", { selfHeardMs: 10_001 })], 3);
  assert.equal(verdict, "warn");
});

test("one that only seeds reach is named", () => {
  const ways = [
    way("multicast", { peers: [peer("b")] }),
    way("seeds", { peers: [peer("b"), peer("c")] }),
  ];
  assert.match(judgeDiscovery(ways, 3).text, /does not pass to c: registry and seeds/);
});

test("what is switched off is no complaint, and says why it is off", () => {
  const off = { state: "off" as const, problem: "there is no key" };
  const { verdict, text } = judgeDiscovery([way("multicast", off), way("seeds", off)], 0);
  assert.equal(verdict, "ok");
  assert.equal(text, "multicast off (there is no key): the registry is in use");
});

test("a group that cannot be joined is a complaint", () => {
  const failed = { state: "failed" as const, problem: "no interface eth7" };
  const finding = judgeDiscovery([way("multicast", failed)], 0);
  assert.equal(finding.verdict, "warn");
  assert.match(finding.facts?.join(" ") ?? "", /eth7/);
});

test("a datagram really comes back on the loopback, and none on an address that is not here", async () => {
  assert.equal(typeof (await probeMulticast("239.255.71.17", "127.0.0.1")), "number");
  const failed = await probeMulticast("239.255.71.17", "192.0.2.77");
  assert.ok(typeof failed === "object" && failed.problem !== "");
});
