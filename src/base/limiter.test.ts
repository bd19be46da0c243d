// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
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
});
