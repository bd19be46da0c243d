// SPDX-License-Identifier: Apache-2.0
// In virtual time: what a fleet sees when hosts die, pause, lose datagrams or are parted.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import fc from "fast-check";
import { createDetector } from "./detector.ts";
import { decodeMessage, encodeMessage, type Message } from "./messages.ts";
import { startSimFleet, type SimFleet, type SimNode } from "./testing/sim-fleet.ts";
import { TIMING } from "./timing.ts";

const SEED = Number(process.env["FAIRLEAD_SIM_SEED"] ?? 1);
const ROUNDS = Number(process.env["FAIRLEAD_SIM_ROUNDS"] ?? 40);

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** When each other node saw `state` of the one with that number, since `fromMs`. */
function timesOf(fleet: SimFleet, of: number, state: string, fromMs: number): number[] {
  return fleet.nodes.flatMap((node) => {
    const at = node.seen.find(
      ({ member, atMs }) => member.id === `n${of}` && member.state === state && atMs >= fromMs,
    )?.atMs;
    return at === undefined ? [] : [at - fromMs];
  });
}

const count = (nodes: readonly SimNode[], state: string): number =>
  nodes.flatMap(({ seen }) => seen).filter(({ member }) => member.state === state).length;

function rounds(t: TestContext, run: (seed: number) => void): void {
  t.diagnostic(`${ROUNDS} rounds from seed ${SEED}`);
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) run(seed);
}

describe("a fleet of five", () => {
  test("in peace everybody is alive, round trips and clocks are measured", () => {
    const fleet = startSimFleet(5, SEED);
    fleet.runFor(60_000);
    assert.equal(count(fleet.nodes, "suspect"), 0);
    for (const member of fleet.nodes[0]?.detector.list() ?? []) {
      assert.equal(member.state, "alive");
      assert.equal(member.direct, true);
      assert.ok((member.rttMs ?? 0) > 0.3 && (member.rttMs ?? 9) < 5, `${member.rttMs}`);
      const aheadMs = Number(member.id.slice(1)) * 3_600_000;
      assert.ok(Math.abs((member.skewMs ?? 0) - aheadMs) < 2.5, `${member.id} ${member.skewMs}`);
    }
    const perNodeAndSecond = fleet.sent / 5 / 60;
    assert.ok(perNodeAndSecond < 16, `${perNodeAndSecond} datagrams`);
  });

  test("R01: a host that is cut off is suspected, then gone, by all of the others", (t) => {
    const suspected: number[] = [];
    const gone: number[] = [];
    rounds(t, (seed) => {
      const fleet = startSimFleet(5, seed);
      fleet.runFor(10_000 + seed * 37);
      const cutMs = fleet.nowMs;
      fleet.lossOf = (from, to) => (from === "n4" || to === "n4" ? 1 : 0);
      fleet.runFor(7_000);
      for (const observer of [0, 1, 2, 3]) assert.equal(fleet.stateOf(observer, 4), "gone");
      assert.equal(fleet.nodes[4]?.detector.isolated, true);
      assert.equal(fleet.nodes[0]?.detector.isolated, false);
      suspected.push(...timesOf(fleet, 4, "suspect", cutMs));
      gone.push(...timesOf(fleet, 4, "gone", cutMs));
      fleet.lossOf = () => 0;
      fleet.runFor(2_500);
      for (const observer of [0, 1, 2, 3]) assert.equal(fleet.stateOf(observer, 4), "alive");
    });
    const [suspectMs, goneMs] = [percentile(suspected, 0.99), percentile(gone, 0.99)];
    t.diagnostic(
      `suspected after p99 ${suspectMs.toFixed(0)} ms, gone after p99 ${goneMs.toFixed(0)} ms`,
    );
    assert.ok(suspectMs <= 1_500 && goneMs <= 6_000 && Math.min(...gone) > 5_000);
  });

  test("R03: pauses up to 5 s are forgiven, and who paused accuses nobody", (t) => {
    rounds(t, (seed) => {
      const fleet = startSimFleet(5, seed);
      for (const pauseMs of [1_000, 2_000, 3_000, 4_000, 5_000]) {
        fleet.runFor(10_000);
        const paused = fleet.nodes[seed % 5];
        if (paused !== undefined) paused.pausedUntilMs = fleet.nowMs + pauseMs;
        fleet.runFor(pauseMs + 1_000);
        for (const observer of [0, 1, 2, 3, 4])
          if (observer !== seed % 5) assert.equal(fleet.stateOf(observer, seed % 5), "alive");
      }
      assert.equal(count(fleet.nodes, "gone"), 0);
      assert.deepEqual(
        fleet.nodes[seed % 5]?.seen.filter(({ was }) => was !== undefined),
        [],
        "the one that paused saw nothing wrong with the others",
      );
    });
  });

  test("R04: 30 % loss both ways makes nobody gone", (t) => {
    rounds(t, (seed) => {
      const fleet = startSimFleet(5, seed);
      fleet.lossOf = (from, to) => (from === "n2" || to === "n2" ? 0.3 : 0);
      fleet.runFor(60_000);
      assert.equal(count(fleet.nodes, "gone"), 0);
    });
  });

  test("R05: nodes that run late by up to a second accuse nobody", (t) => {
    rounds(t, (seed) => {
      const fleet = startSimFleet(5, seed, 1_000);
      fleet.runFor(60_000);
      assert.equal(count(fleet.nodes, "gone"), 0);
    });
  });

  test("R06: one way is cut between two: they know of each other through others", (t) => {
    rounds(t, (seed) => {
      const fleet = startSimFleet(3, seed);
      fleet.runFor(5_000);
      fleet.lossOf = (from, to) => (from === "n0" && to === "n1" ? 1 : 0);
      fleet.runFor(20_000);
      assert.equal(count(fleet.nodes, "gone"), 0);
      assert.equal(fleet.stateOf(1, 0), "alive");
      const seen = fleet.nodes[1]?.detector.list().find(({ id }) => id === "n0");
      assert.equal(seen?.direct, false);
    });
  });

  test("R07: a split of two and three heals within 2 s", (t) => {
    const healed: number[] = [];
    rounds(t, (seed) => {
      const fleet = startSimFleet(5, seed);
      fleet.runFor(5_000);
      const isLeft = (id: string): boolean => id === "n0" || id === "n1";
      fleet.lossOf = (from, to) => (isLeft(from) === isLeft(to) ? 0 : 1);
      fleet.runFor(20_000);
      assert.equal(fleet.stateOf(0, 1), "alive");
      assert.equal(fleet.stateOf(0, 2), "gone");
      const fromMs = fleet.nowMs;
      fleet.lossOf = () => 0;
      fleet.runFor(2_500);
      for (let of = 0; of < 5; of++) healed.push(...timesOf(fleet, of, "alive", fromMs));
    });
    assert.equal(healed.length, ROUNDS * 12, "each of six pairs, both ways");
    const healedMs = percentile(healed, 0.99);
    t.diagnostic(`seen again after p99 ${healedMs.toFixed(0)} ms`);
    assert.ok(healedMs <= 2_000);
  });
});

test("fifty nodes: peace is quiet, one that dies is gone everywhere in time", () => {
  const fleet = startSimFleet(50, SEED);
  fleet.runFor(10_000);
  assert.equal(count(fleet.nodes, "suspect"), 0);
  const dead = fleet.nodes[49];
  if (dead !== undefined) dead.dead = true;
  const cutMs = fleet.nowMs;
  fleet.runFor(7_000);
  const gone = timesOf(fleet, 49, "gone", cutMs);
  assert.equal(gone.length, 49);
  assert.ok(Math.max(...gone) <= 6_500, `${Math.max(...gone)}`);
});

describe("what a detector believes", () => {
  const watch = () => {
    const nonces: number[] = [];
    const detector = createDetector({
      id: "me",
      timing: TIMING,
      random: () => 0.5,
      makeNonce: () => nonces.push(nonces.length + 100) + 99,
    });
    detector.tick(0);
    detector.setPeers([{ id: "peer", incarnation: 7 }], 0);
    let sequence = 0;
    const from = (incarnation: number) => ({
      sender: "peer",
      incarnation,
      sequence: sequence++,
      stampMs: 0,
    });
    const runTo = (untilMs: number): void => {
      for (let nowMs = 100; nowMs <= untilMs; nowMs += 100) detector.tick(nowMs);
    };
    return { detector, from, runTo, state: () => detector.list()[0]?.state };
  };
  const ping: Message = { kind: "ping", nonce: 1, news: [] };

  test("a ping of one who has never answered us shows nothing, as it may be sent again", () => {
    const { detector, from, runTo, state } = watch();
    runTo(2_000);
    assert.equal(state(), "suspect");
    const { outgoing } = detector.take(from(7), ping, 2_000, 0);
    assert.equal(outgoing[0]?.message.kind, "ack", "it is answered");
    assert.equal(state(), "suspect");
    detector.take(from(7), { kind: "ack", nonce: 5, news: [] }, 2_000, 0);
    assert.equal(state(), "suspect", "an answer to what was not asked");
    detector.take(from(7), { kind: "ack", nonce: 100, news: [] }, 2_000, 0);
    assert.equal(state(), "alive");
  });

  test("an earlier life is not believed, a later one is, after a farewell too", () => {
    const { detector, from, state } = watch();
    detector.take(from(7), { kind: "ack", nonce: 100, news: [] }, 10, 0);
    detector.take(from(6), { kind: "leave" }, 10, 0);
    assert.equal(state(), "alive");
    detector.take(from(7), { kind: "leave" }, 10, 0);
    assert.equal(state(), "left");
    detector.take(from(7), ping, 20, 0);
    assert.equal(state(), "left");
    detector.take(from(8), ping, 20, 0);
    assert.equal(state(), "left", "until it has answered");
    const asked = detector.tick(100).outgoing.find(({ message }) => message.kind === "ping");
    const nonce = asked?.message.kind === "ping" ? asked.message.nonce : assert.fail();
    const { changes } = detector.take(from(8), { kind: "ack", nonce, news: [] }, 110, 0);
    assert.equal(changes[0]?.was, "left");
    assert.equal(state(), "alive");
  });

  test("one whose node was ended for longer than a lost one is silent is not gone when it begins anew", () => {
    const { detector, from, state, runTo } = watch();
    detector.take(from(7), { kind: "ack", nonce: 100, news: [] }, 10, 0);
    detector.take(from(7), { kind: "leave" }, 20, 0);
    runTo(20_000);
    assert.equal(state(), "left");
    assert.deepEqual(detector.setPeers([{ id: "peer", incarnation: 8 }], 20_000).changes, []);
    const asked = detector.tick(20_100).outgoing.find(({ message }) => message.kind === "ping");
    const nonce = asked?.message.kind === "ping" ? asked.message.nonce : assert.fail();
    const { changes } = detector.take(from(8), { kind: "ack", nonce, news: [] }, 20_110, 0);
    assert.deepEqual(
      changes.map(({ was, member }) => [was, member.state]),
      [["left", "alive"]],
    );
  });

  test("one that was killed is suspect when it begins anew, and gone when nobody hears it", () => {
    const { detector, from, state, runTo } = watch();
    detector.take(from(7), { kind: "ack", nonce: 100, news: [] }, 10, 0);
    runTo(20_000);
    assert.equal(state(), "gone");
    detector.setPeers([{ id: "peer", incarnation: 8 }], 20_000);
    assert.equal(state(), "suspect");
    for (let nowMs = 20_100; nowMs <= 24_400; nowMs += 100) detector.tick(nowMs);
    assert.equal(state(), "suspect");
    detector.tick(24_600);
    assert.equal(state(), "gone", "nobody heard it in its new life");
  });

  test("strangers are not answered", () => {
    const { detector } = watch();
    const step = detector.take(
      { sender: "x", incarnation: 1, sequence: 1, stampMs: 0 },
      ping,
      0,
      0,
    );
    assert.deepEqual(step, { outgoing: [], changes: [] });
  });
});

describe("messages", () => {
  const name = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
  const nonce = fc.nat({ max: 2 ** 48 - 1 });
  const news = fc.array(
    fc.record(
      { id: name, incarnation: nonce, sequence: nonce, ageMs: fc.nat(0xffff) },
      { noNullPrototype: true },
    ),
    { maxLength: 12 },
  );
  const header = { sender: "n", incarnation: 1, sequence: 1, stampMs: 1 };

  test("what is encoded is decoded, and fits", () => {
    const message: fc.Arbitrary<Message> = fc.oneof(
      fc.record({ kind: fc.constantFrom("ping", "ack"), nonce, news }, { noNullPrototype: true }),
      fc.record(
        { kind: fc.constant("ask" as const), nonce, target: name, news },
        { noNullPrototype: true },
      ),
      fc.constant({ kind: "leave" as const }),
    );
    fc.assert(
      fc.property(message, (one) => {
        const bytes = encodeMessage(header, one);
        assert.ok(bytes.length <= 1_200);
        assert.deepEqual(decodeMessage(bytes), one);
      }),
    );
  });

  test("news that do not fit are left out", () => {
    const many = Array.from({ length: 200 }, (_, at) => ({
      id: `node-${at}`,
      incarnation: 1,
      sequence: at,
      ageMs: at,
    }));
    const bytes = encodeMessage(header, { kind: "ping", nonce: 1, news: many });
    const decoded = decodeMessage(bytes);
    assert.ok(decoded?.kind === "ping" && decoded.news.length > 40);
    assert.deepEqual(decoded.news, many.slice(0, decoded.news.length));
  });

  test("of changed and cut ones none throws", () => {
    const whole = encodeMessage(header, { kind: "ask", nonce: 1, target: "a", news: [] });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(whole.length), (tail, cut) => {
        const bytes = Buffer.concat([whole.subarray(0, Math.max(57, cut)), tail]);
        decodeMessage(bytes);
      }),
    );
  });
});
