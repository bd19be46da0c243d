// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createHostWatch } from "./watch-host.ts";

/** One with a guard whose watches say and end what the test says. */
function openWatch() {
  const clock = createManualClock();
  const watches: {
    readonly signal: AbortSignal;
    say(): Promise<void>;
    end(): Promise<void>;
  }[] = [];
  let losses = 0;
  const host = createHostWatch({
    clock,
    onLoss: () => (losses += 1),
    guard: {
      async *watchLosses(signal) {
        let next = Promise.withResolvers<"loss" | "end">();
        const settle = async (what: "loss" | "end"): Promise<void> => {
          next.resolve(what);
          for (let n = 0; n < 3; n++) await turn();
        };
        watches.push({ signal, say: () => settle("loss"), end: () => settle("end") });
        signal.addEventListener("abort", () => next.resolve("end"));
        while ((await next.promise) === "loss") {
          next = Promise.withResolvers();
          yield ["fairlead"];
        }
      },
    },
  });
  return { clock, host, watches, losses: () => losses };
}

describe("createHostWatch()", () => {
  test("watches only while it is wanted", async () => {
    const { clock, host, watches, losses } = openWatch();
    host.keep(false);
    await clock.advance(120_000);
    assert.equal(watches.length, 0);
    host.keep(true);
    host.keep(true);
    assert.equal(watches.length, 1);
    await watches[0]?.say();
    assert.equal(losses(), 1);
    assert.deepEqual([host.takeLoss(), host.takeLoss()], [true, false]);
    host.keep(false);
    assert.equal(watches[0]?.signal.aborted, true);
    await host.end();
    host.keep(true);
    assert.equal(watches.length, 2);
    await host.end();
    assert.equal(watches[1]?.signal.aborted, true);
  });

  test("begins anew when the watch has ended, later each time", async () => {
    const { clock, host, watches } = openWatch();
    host.keep(true);
    for (const [count, restMs] of [1_000, 2_000, 4_000].entries()) {
      await watches.at(-1)?.end();
      await clock.advance(restMs - 1);
      assert.equal(watches.length, count + 1);
      await clock.advance(1);
      assert.equal(watches.length, count + 2);
    }
    // One that lasted was well.
    await clock.advance(60_001);
    await watches.at(-1)?.end();
    await clock.advance(1_000);
    assert.equal(watches.length, 5);
    await host.end();
  });

  test("tells of repairs for an hour", async () => {
    const { clock, host } = openWatch();
    assert.equal(host.told, undefined);
    host.noteRepair();
    assert.match(host.told ?? "", /taken away once within/);
    await clock.advance(1_800_000);
    host.noteRepair();
    assert.match(host.told ?? "", /taken away 2 times within/);
    await clock.advance(1_800_000);
    assert.match(host.told ?? "", /taken away once within/);
    await clock.advance(1_800_000);
    assert.equal(host.told, undefined);
  });
});
