// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { Turnstile, type TurnRequest } from "./turnstile.ts";

/** A clock that only the test moves. */
function createClock() {
  let atMs = 1_000;
  return { nowMs: () => atMs, pass: (ms: number) => void (atMs += ms) };
}

const FOREVER: TurnRequest = { endMs: Infinity, signal: new AbortController().signal };

/** Takes a turn and keeps it until `release` is called. */
function hold(turnstile: Turnstile): { readonly done: Promise<void>; release(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { done: turnstile.run(() => promise, FOREVER), release: resolve };
}

test("a call whose deadline has passed never begins, whatever its timer says", async () => {
  const { nowMs, pass } = createClock();
  const turnstile = new Turnstile({ runningMax: 1, nowMs });
  const first = hold(turnstile);
  const begun: string[] = [];
  const request = (name: string, endMs: number): Promise<number> =>
    turnstile.run(async () => begun.push(name), { ...FOREVER, endMs });
  const late = [request("late", nowMs() + 100), request("later", nowMs() + 100)];
  const patient = request("patient", nowMs() + 101);
  pass(100);
  first.release();
  for (const one of late) await assert.rejects(one, { code: "deadline_exceeded" });
  await patient;
  assert.deepEqual(begun, ["patient"]);
});

test("a call that is called off leaves its place to another, and keeps nobody from settling", async () => {
  const turnstile = new Turnstile({ runningMax: 1, waitingMax: 1 });
  const first = hold(turnstile);
  const calledOff = new AbortController();
  const waiting = turnstile.run(() => assert.fail("it began"), {
    ...FOREVER,
    signal: calledOff.signal,
  });
  assert.throws(() => turnstile.checkRoom(0), { code: "resource_exhausted" });
  calledOff.abort(new FabricError("canceled", "not wanted any more"));
  await assert.rejects(waiting, { code: "canceled" });
  turnstile.checkRoom(0);
  const settled = turnstile.settle();
  first.release();
  await settled;
  assert.equal(turnstile.load, 0);
});

test("a call is refused when by the pace of late its turn would come after half its deadline", async () => {
  const { nowMs, pass } = createClock();
  const turnstile = new Turnstile({ runningMax: 1, nowMs });
  for (let turn = 0; turn < 10; turn++) await turnstile.run(async () => pass(10), FOREVER);
  const first = hold(turnstile);
  await new Promise((resolve) => setImmediate(resolve));
  const held = Array.from({ length: 4 }, () => hold(turnstile));
  turnstile.checkRoom(100);
  held.push(hold(turnstile));
  assert.throws(
    () => turnstile.checkRoom(100),
    (error: FabricError) => {
      assert.deepEqual(
        [error.code, error.reason, error.retryable],
        ["resource_exhausted", "overloaded", true],
      );
      return true;
    },
  );
  // Who waits longer, or for ever, may still come.
  turnstile.checkRoom(120);
  turnstile.checkRoom(0);
  for (const one of [first, ...held]) one.release();
  await turnstile.settle();
});

test("handlers that wait for nothing let the loop read what has arrived", async () => {
  const { nowMs, pass } = createClock();
  const turnstile = new Turnstile({ runningMax: 4, nowMs });
  const first = Array.from({ length: 4 }, () => hold(turnstile));
  let done = 0;
  const work = async (): Promise<void> => {
    pass(10);
    done++;
  };
  const all = Array.from({ length: 100 }, () => turnstile.run(work, FOREVER));
  const calledOff = new AbortController();
  const last = turnstile.run(() => assert.fail("it began"), {
    ...FOREVER,
    signal: calledOff.signal,
  });
  for (const one of first) one.release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(done < 100, `${done} were done before the loop turned`);
  calledOff.abort();
  await assert.rejects(last, { code: "canceled" });
  await Promise.all(all);
  await turnstile.settle();
});

test("calls that arrive one by one while handlers keep the loop are seen to wait, and refused in time", async () => {
  const { nowMs, pass } = createClock();
  const turnstile = new Turnstile({ nowMs });
  let done = 0;
  const work = async (): Promise<void> => {
    pass(10);
    done++;
  };
  const all = Array.from({ length: 10 }, () => turnstile.run(work, FOREVER));
  assert.equal(done, 1);
  await Promise.all(all);
  assert.equal(done, 10);
  await turnstile.settle();
});

test("waiting calls get all turns there are, however often the loop was let go", async () => {
  const { nowMs, pass } = createClock();
  const turnstile = new Turnstile({ runningMax: 3, nowMs });
  const first = Array.from({ length: 3 }, () => hold(turnstile));
  let running = 0;
  const full = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const work = async (): Promise<void> => {
    if (++running === 3) full.resolve();
    await end.promise;
  };
  const all = Array.from({ length: 5 }, () => turnstile.run(work, FOREVER));
  pass(10);
  for (const one of first) one.release();
  await full.promise;
  assert.equal(running, 3);
  end.resolve();
  await Promise.all(all);
  await turnstile.settle();
});
