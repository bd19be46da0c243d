// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSourceLimiter, sourceOf } from "./source-limiter.ts";

test("a source gets its burst, then its rate", () => {
  const limiter = createSourceLimiter({ perSecond: 10, burst: 20, sourcesMax: 10 });
  const countAt = (nowMs: number): number =>
    Array.from({ length: 100 }, () => limiter.allow("a", nowMs)).filter(Boolean).length;
  assert.equal(countAt(0), 20);
  assert.equal(countAt(1_000), 10);
  assert.equal(countAt(60_000), 20);
});

test("never more than burst and rate allow, whatever the times", () => {
  const pauses = fc.array(fc.nat(50), { maxLength: 500 });
  fc.assert(
    fc.property(pauses, (waitsMs) => {
      const limiter = createSourceLimiter({ perSecond: 100, burst: 5, sourcesMax: 1 });
      let nowMs = 0;
      let allowed = 0;
      for (const waitMs of waitsMs) {
        nowMs += waitMs;
        if (limiter.allow("a", nowMs)) allowed++;
      }
      assert.ok(allowed <= 5 + nowMs / 10 + 1);
    }),
  );
});

test("invented sources fill no memory and leave known ones alone", () => {
  const limiter = createSourceLimiter({ perSecond: 10, burst: 10, sourcesMax: 100 });
  assert.ok(limiter.allow("known", 0));
  for (let i = 0; i < 10_000; i++) limiter.allow(`invented${i}`, 1);
  assert.equal(limiter.size, 100);
  assert.ok(limiter.allow("known", 2));
  assert.equal(limiter.allow("another", 3), false);
  assert.ok(limiter.allow("another", 5_000), "who was quiet is forgotten and makes room");
});

test("an IPv6 host is one source whichever of its addresses it takes", () => {
  assert.equal(sourceOf("10.0.0.5"), "10.0.0.5");
  assert.equal(sourceOf("fd00:1:2:3:4:5:6:7"), "fd00:1:2:3::");
  assert.equal(sourceOf("fd00:1:2:3::9"), sourceOf("fd00:1:2:3:4:5:6:7"));
  assert.equal(sourceOf("fe80::1%eth0"), "fe80:0:0:0::");
  assert.equal(sourceOf("::1"), "0:0:0:0::");
});
