// SPDX-License-Identifier: Apache-2.0
// An instance that is asked ten times as much as it can answer, and refuses what it could not answer in time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Balancer } from "./balancer.ts";
import type { Endpoint } from "./endpoint.ts";
import { makeEndpoints, makeRandom, readPolicy } from "./testing/make-endpoints.ts";

/** Times in ms. A refusal costs the instance a tenth of what an answer does, which is what was measured of quick handlers. */
const [SERVE, REFUSE, WAY, FOR] = [2, 0.2, 20, 20_000];
const WAITING_MAX = 250;

const ENDPOINTS = makeEndpoints(1);

interface Sent {
  readonly by: Balancer<Endpoint>;
  readonly atMs: number;
}

interface Left extends Sent {
  readonly outcome: "ok" | "refused";
  readonly dueMs: number;
}

/** What is due by now, taken from the front. */
function* takeDue<T>(queue: T[], isDue: (item: T) => boolean): Generator<T> {
  for (let [next] = queue; next !== undefined && isDue(next); [next] = queue) {
    queue.shift();
    yield next;
  }
}

/** Calls come at an even pace, `times` what it can answer, from so many callers: how many it answered, how many it refused. */
function runOverload(callers: number, times: number): { answered: number; refused: number } {
  const random = makeRandom(callers);
  const all = Array.from({ length: callers }, () => new Balancer({ policy: readPolicy("ewma") }));
  const arriving: Sent[] = [];
  const waiting: Sent[] = [];
  const leaving: Left[] = [];
  let [answered, refused, freeAtMs, due] = [0, 0, 0, 0];
  for (let nowMs = 0; nowMs < FOR; nowMs++) {
    for (due += times / SERVE; due >= 1; due--) {
      const by = all[Math.floor(random() * callers)];
      if (by?.pick(ENDPOINTS, nowMs, random) === undefined) continue;
      by.started("e0");
      arriving.push({ by, atMs: nowMs });
    }
    freeAtMs = Math.max(freeAtMs, nowMs);
    const leave = (sent: Sent, outcome: Left["outcome"], costMs: number): void => {
      freeAtMs += costMs;
      leaving.push({ ...sent, outcome, dueMs: freeAtMs + WAY });
    };
    for (const sent of takeDue(arriving, ({ atMs }) => atMs + WAY <= nowMs)) {
      if (waiting.length < WAITING_MAX) waiting.push(sent);
      else leave(sent, "refused", (refused++, REFUSE));
    }
    for (const sent of takeDue(waiting, () => freeAtMs < nowMs + 1))
      leave(sent, "ok", (answered++, SERVE));
    for (const { by, atMs, outcome } of takeDue(leaving, ({ dueMs }) => dueMs <= nowMs))
      by.ended("e0", nowMs - atMs, outcome, nowMs);
  }
  return { answered, refused };
}

test("ten times the calls leave the instance its time to answer, however many send them", () => {
  for (const callers of [1, 20, 200]) {
    const { answered, refused } = runOverload(callers, 10);
    const share = (answered * SERVE) / FOR;
    assert.ok(
      share > 0.9,
      `${callers} callers: ${share} of what it can answer, ${refused} refused`,
    );
  }
});

test("what it can answer is not held back", () => {
  const { answered, refused } = runOverload(5, 0.9);
  assert.equal(refused, 0);
  assert.ok(answered > 0.89 * (FOR / SERVE), `${answered}`);
});
