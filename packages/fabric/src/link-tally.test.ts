// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LinkMeter, LinkTally } from "./link-tally.ts";

describe("LinkTally", () => {
  test("counts everything once, however often it is taken and whoever holds a meter", () => {
    const step = fc.oneof(
      fc.constant("take" as const),
      fc.tuple(fc.nat(3), fc.nat(3)),
      fc.nat(2).map((meter) => ({ meter })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const tally = new LinkTally();
        const meters = [0, 1, 2].map((n) => new LinkMeter(tally, "m", `n${n}`));
        let [counted, taken] = [0, 0];
        const take = (): void => {
          for (const { used } of tally.take().links) taken += used;
        };
        for (const one of steps) {
          if (one === "take") take();
          else {
            counted++;
            if ("meter" in one) meters[one.meter]?.count();
            else tally.at(`a${one[0]}`, `b${one[1]}`).used++;
          }
        }
        take();
        assert.equal(taken, counted);
      }),
    );
  });

  test("is bounded: links beyond its limit are counted together, and the busiest are reported", () => {
    const tally = new LinkTally();
    for (let peer = 0; peer < 1_500; peer++) tally.at("a", `b${peer}`).used += peer < 1_000 ? 2 : 1;
    tally.at("a", "b7").used += 5;
    const { links, omitted } = tally.take(256);
    assert.equal(links.length, 256);
    assert.deepEqual(links[0], { from: "a", to: "b7", used: 7, refused: 0 });
    assert.equal(omitted, (1_000 - 256) * 2 + 500);
    assert.ok(tally.isEmpty);
  });

  test("says when there is something to be taken", () => {
    let called = 0;
    const tally = new LinkTally(() => called++);
    tally.at("a", "b").used++;
    tally.at("a", "c").used++;
    assert.equal(called, 1);
    tally.take();
    tally.at("a", "b").used++;
    assert.equal(called, 2);
  });
});
