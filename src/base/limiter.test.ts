// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Clock } from "./clock.ts";
import { createLimiter } from "./limiter.ts";

describe("createLimiter()", () => {
  test("never runs more tasks than its width, and runs them in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(5), { maxLength: 30 }),
        async (widthMax, turns) => {
          const limiter = createLimiter(widthMax);
          const began: number[] = [];
          let most = 0;
          const task = async (index: number, turnsLeft: number): Promise<void> => {
            began.push(index);
            most = Math.max(most, limiter.running);
            for (let i = 0; i < turnsLeft; i++) await Promise.resolve();
          };
          await Promise.all(turns.map((count, index) => limiter.run(() => task(index, count))));
          assert.ok(most <= widthMax);
          assert.deepEqual(began, [...turns.keys()]);
          assert.equal(limiter.running, 0);
          assert.equal(limiter.waiting, 0);
        },
      ),
    );
  });

  test("lets nobody slip in between the end of a task and the start of the one that waited", async () => {
    const limiter = createLimiter(1);
    let running = 0;
    let most = 0;
    const task = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    };
    const runs = [limiter.run(task), limiter.run(task)];
    for (let i = 0; i < 10; i++) {
      await Promise.resolve();
      runs.push(limiter.run(task));
    }
    await Promise.all(runs);
    assert.equal(most, 1);
  });

  test("gives the place of a task that throws to the next", async () => {
    const limiter = createLimiter(1);
    const failed = limiter.run(() => Promise.reject(new Error("no")));
    const next = limiter.run(() => Promise.resolve("yes"));
    await assert.rejects(failed, /no/);
    assert.equal(await next, "yes");
    assert.equal(limiter.running, 0);
  });

  describe("with places to spare", () => {
    /** A clock whose sleepers all wake when told. */
    function createStillClock() {
      const sleepers = new Set<() => void>();
      const clock: Clock = {
        nowMs: () => 0,
        monotonicMs: () => 0,
        sleep: (_delayMs, signal) =>
          new Promise((resolve, reject) => {
            sleepers.add(resolve);
            signal?.addEventListener("abort", () => {
              sleepers.delete(resolve);
              reject(signal.reason);
            });
          }),
      };
      return {
        clock,
        sleepers,
        async wakeAll() {
          await turn();
          for (const wake of sleepers) wake();
          sleepers.clear();
          await turn();
        },
      };
    }
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const hang = () => new Promise<never>(() => undefined);

    test("tasks that hang hold up the others for a while and no longer", async () => {
      const { clock, wakeAll } = createStillClock();
      const limiter = createLimiter(16, { clock, slowMs: 5_000, spare: 4 });
      for (let i = 0; i < 100; i++) void limiter.run(hang);
      const next = limiter.run(() => Promise.resolve("done"));
      await wakeAll();
      // Sixteen are slow, four have come after them; each time four more turn out to hang.
      assert.equal(limiter.running, 20);
      for (let i = 0; i < 21; i++) await wakeAll();
      assert.equal(await next, "done");
      assert.equal(await limiter.run(() => Promise.resolve("at once")), "at once");
    });

    test("where all are slow no more than the spare ones are added at a time", async () => {
      const { clock, wakeAll } = createStillClock();
      const limiter = createLimiter(4, { clock, slowMs: 5_000, spare: 1 });
      const ends: (() => void)[] = [];
      const runs = Array.from({ length: 10 }, () =>
        limiter.run(() => new Promise<void>((end) => ends.push(end))),
      );
      assert.equal(limiter.running, 4);
      await wakeAll();
      assert.equal(limiter.running, 5);
      // The slow ones end after all: the width holds again.
      for (const end of ends.splice(0)) end();
      await wakeAll();
      assert.equal(limiter.running, 5, "four, and one since those four are slow again");
      while (limiter.running > 0) {
        for (const end of ends.splice(0)) end();
        await turn();
      }
      await Promise.all(runs);
      assert.equal(limiter.waiting, 0);
    });

    test("a task that ends in time counts as slow nowhere, and leaves no timer", async () => {
      const { clock, sleepers } = createStillClock();
      const limiter = createLimiter(1, { clock, slowMs: 5_000, spare: 1 });
      for (let i = 0; i < 3; i++) await limiter.run(() => Promise.resolve());
      assert.equal(sleepers.size, 0);
      // Its time comes in the same turn as its end.
      let end = (): void => undefined;
      const run = limiter.run(() => new Promise<void>((resolve) => (end = resolve)));
      await turn();
      end();
      for (const wake of sleepers) wake();
      await run;
      void limiter.run(hang);
      void limiter.run(hang);
      assert.equal(limiter.running, 1);
    });
  });
});
