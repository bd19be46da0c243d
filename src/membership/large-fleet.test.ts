// SPDX-License-Identifier: Apache-2.0
// In virtual time: a fleet in which nobody watches everybody.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CIRCLE_MAX, chooseCircle, createTurns } from "./circle.ts";
import { createDetector } from "./detector.ts";
import type { Message } from "./messages.ts";
import { startSimFleet, type SimFleet } from "./testing/sim-fleet.ts";
import { TIMING } from "./timing.ts";

const NODES = 100;

function timesOf(fleet: SimFleet, of: number, state: string, fromMs: number): number[] {
  return fleet.nodes.flatMap(({ seen }) => {
    const at = seen.find(
      ({ member, atMs }) => member.id === `n${of}` && member.state === state && atMs >= fromMs,
    )?.atMs;
    return at === undefined ? [] : [at - fromMs];
  });
}

/** How many pairs of nodes of which the first does not see the second alive. */
function countUnseen({ nodes }: SimFleet): number {
  return nodes.reduce(
    (sum, { detector }) => sum + detector.list().filter(({ state }) => state !== "alive").length,
    0,
  );
}

test("circles: who is in mine has me in its own; of few peers all are", () => {
  const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), {
    minLength: 2,
    maxLength: 90,
  });
  fc.assert(
    fc.property(ids, (all) => {
      const circles = new Map(
        all.map((id) => [
          id,
          chooseCircle(
            id,
            all.filter((one) => one !== id),
          ),
        ]),
      );
      for (const [id, circle] of circles) {
        assert.equal(circle.size, Math.min(all.length - 1, CIRCLE_MAX));
        for (const other of circle) assert.ok(circles.get(other)?.has(id), `${other} has ${id}`);
      }
    }),
  );
});

test("turns: everybody once in each round, but for those that have gone", () => {
  const peers = new Set(["a", "b", "c"]);
  const turns = createTurns(peers, Math.random);
  assert.deepEqual(new Set([turns.take(), turns.take(), turns.take()]), new Set(["a", "b", "c"]));
  peers.delete("b");
  assert.deepEqual(new Set([turns.take(), turns.take()]), new Set(["a", "c"]));
  peers.clear();
  assert.equal(turns.take(), undefined);
});

test("peace costs a node no more than in a small fleet; who dies is gone for all, and who comes back is seen", () => {
  const fleet = startSimFleet(NODES, 1);
  fleet.runFor(5_000);
  const sentBefore = fleet.sent;
  fleet.runFor(5_000);
  const perNodeAndSecond = (fleet.sent - sentBefore) / NODES / 5;
  assert.ok(perNodeAndSecond < 45, `${perNodeAndSecond} datagrams`);
  assert.equal(countUnseen(fleet), 0);

  const cutMs = fleet.nowMs;
  fleet.lossOf = (from, to) => (from === "n7" || to === "n7" ? 1 : 0);
  fleet.runFor(8_500);
  for (const [state, limitMs] of [
    ["suspect", 3_500],
    ["gone", 8_000],
  ] as const) {
    const times = timesOf(fleet, 7, state, cutMs);
    assert.equal(times.length, NODES - 1);
    assert.ok(Math.max(...times) <= limitMs, `${state} after ${Math.max(...times)} ms`);
  }
  const cutOff = fleet.nodes[7]?.detector;
  assert.equal(cutOff?.isolated, true);
  assert.ok(cutOff?.list().every(({ state }) => state === "gone"));
  assert.equal(countUnseen(fleet), 2 * (NODES - 1), "nobody else is taken for gone");

  fleet.lossOf = () => 0;
  fleet.runFor(3_000);
  assert.equal(countUnseen(fleet), 0);
  assert.equal(cutOff?.isolated, false);
});

test("R07: half of a large fleet is lost at once: all of it is gone as soon as one node would be, and none of the own half", () => {
  const [left, right] = [25, 35];
  const fleet = startSimFleet(left + right, 1);
  fleet.runFor(6_000);
  const isLeft = (id: string): boolean => Number(id.slice(1)) < left;
  fleet.lossOf = (from, to) => (isLeft(from) === isLeft(to) ? 0 : 1);
  fleet.runFor(8_000);
  assert.equal(countUnseen(fleet), 2 * left * right);
  for (const { id, detector, seen } of fleet.nodes) {
    const lost = detector.list().filter(({ state }) => state === "gone");
    assert.equal(lost.length, isLeft(id) ? right : left);
    const own = seen.filter(
      ({ member, was }) => was !== undefined && isLeft(member.id) === isLeft(id),
    );
    assert.deepEqual(own, [], `${id} doubts none that it hears`);
  }
  fleet.lossOf = () => 0;
  fleet.runFor(2_000);
  assert.equal(countUnseen(fleet), 0);
});

test("R05: nodes of a large fleet that run late by up to a second take nobody for gone", () => {
  const fleet = startSimFleet(50, 1, 1_000);
  fleet.runFor(30_000);
  const gone = fleet.nodes
    .flatMap(({ seen }) => seen)
    .filter(({ member }) => member.state === "gone");
  assert.deepEqual(gone, []);
});

/** A detector with more peers than a circle has, all of which have answered, and one that is not in its circle. */
function watchMany() {
  const ids = Array.from({ length: CIRCLE_MAX + 6 }, (_, at) => `p${at}`);
  const circle = chooseCircle("me", ids);
  const far = ids.find((id) => !circle.has(id)) ?? "";
  const speaker = [...circle][0] ?? "";
  let [nonce, sequence, nowMs] = [0, 0, 0];
  const detector = createDetector({
    id: "me",
    timing: TIMING,
    random: () => 0.5,
    makeNonce: () => nonce++,
  });
  detector.tick(0);
  const pings = new Map<string, number>();
  const note = ({ outgoing }: ReturnType<typeof detector.tick>): string[] =>
    outgoing.flatMap(({ to, message }) => {
      if (message.kind !== "ping") return [];
      pings.set(to, message.nonce);
      return [to];
    });
  const header = (sender: string) => ({
    sender,
    incarnation: 1,
    sequence: sequence++,
    stampMs: 0,
  });
  const say = (from: string, message: Message) =>
    note(detector.take(header(from), message, nowMs, 0));
  note(
    detector.setPeers(
      ids.map((id) => ({ id, incarnation: 1 })),
      0,
    ),
  );
  const answer = (id: string) => say(id, { kind: "ack", nonce: pings.get(id) ?? -1, news: [] });
  return {
    far,
    /** One of the circle says that the one outside was heard that long ago. */
    complain: (ageMs: number) =>
      say(speaker, {
        kind: "ack",
        nonce: pings.get(speaker) ?? -1,
        news: [{ id: far, incarnation: 1, sequence, ageMs }],
      }),
    /** All but that one go on answering. */
    runFor(durationMs: number, silent: string): string[] {
      const asked: string[] = [];
      for (const untilMs = nowMs + durationMs; nowMs < untilMs;) {
        nowMs += 100;
        asked.push(...note(detector.tick(nowMs)));
        for (const id of ids) if (id !== silent) answer(id);
      }
      return asked;
    },
    state: (id: string) => detector.list().find((one) => one.id === id)?.state,
  };
}

test("what somebody says of a quiet one outside of the circle makes a node look, and what it finds counts", () => {
  const { far, complain, runFor, state } = watchMany();
  runFor(500, "");
  complain(60_000);
  assert.equal(state(far), "alive", "nobody is believed");
  assert.ok(runFor(100, far).includes(far), "it is asked");
  runFor(100, "");
  const asked = runFor(2_000, far).filter((id) => id === far);
  assert.ok(asked.length <= 1, "but for its turn it is left alone once it has answered");
  assert.equal(state(far), "alive");
});

test("one that is quiet for those who look is suspect, then gone", () => {
  const { far, complain, runFor, state } = watchMany();
  runFor(500, "");
  complain(2_000);
  runFor(400, far);
  assert.equal(state(far), "alive");
  runFor(300, far);
  assert.equal(state(far), "suspect");
  runFor(5_000, far);
  assert.equal(state(far), "gone");
});

test("one outside of the circle that does not answer in its turn is found without a word of others", () => {
  const { far, runFor, state } = watchMany();
  runFor(2_000, "");
  runFor(16_000, far);
  assert.equal(state(far), "gone");
});
