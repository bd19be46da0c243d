// SPDX-License-Identifier: Apache-2.0
// The targets of `npm run fuzz`, with counts that every run of the tests can bear.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderReport, runTarget, type FuzzTarget } from "./target.ts";
import { TARGETS } from "./targets.ts";

const COUNT = 10_000;
const SEED = 20_261_123;

describe("what strangers send", () => {
  for (const target of TARGETS) {
    test(`${target.name}: ${target.about}`, async (t) => {
      const report = await runTarget(target, { count: COUNT, seed: SEED });
      t.diagnostic(renderReport(report));
      // Neither all nothing nor all well: the changes reach beyond the first check.
      assert.ok(report.refused > COUNT / 50 && report.refused < COUNT * 0.99, renderReport(report));
    });
  }
});

describe("the runner itself", () => {
  const build = (attempt: (index: number) => void): FuzzTarget => ({
    name: "own",
    about: "",
    open: () => ({
      attempt(index) {
        attempt(index);
        return "taken";
      },
    }),
  });

  test("names the input that was too much", async () => {
    const crashes = build((index) => {
      if (index === 7) throw new RangeError("no");
    });
    await assert.rejects(runTarget(crashes, { count: 10, seed: 5 }), /input 7 of seed 5/);
  });

  test("sees that memory is kept", async () => {
    const kept: Buffer[] = [];
    const leaks = build(() => void kept.push(Buffer.alloc(50_000)));
    await assert.rejects(runTarget(leaks, { count: 1_000, seed: 5 }), /memory grew/);
    assert.equal(kept.length, 1_000);
  });

  test("sees that an input takes for ever", async () => {
    const hangs = build((index) => {
      const endMs = process.cpuUsage().user / 1_000 + 1_100;
      while (index === 3 && process.cpuUsage().user / 1_000 < endMs);
    });
    await assert.rejects(runTarget(hangs, { count: 5, seed: 5 }), /took too long/);
  });
});
