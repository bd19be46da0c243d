// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogLine } from "#engine/engine.ts";
import { createLogCursor } from "./log-cursor.ts";

const BASE_NS = 1_800_000_000_000_000_000n;

function line(atNs: bigint, text: string, stream: LogLine["stream"] = "stdout"): LogLine {
  return { stream, atNs: BASE_NS + atNs, atMs: Number((BASE_NS + atNs) / 1_000_000n), text };
}

describe("createLogCursor()", () => {
  test("a log that is read anew from sinceNs gives what is new, and nothing twice", () => {
    const cursor = createLogCursor();
    const log = [
      line(0n, "a"),
      line(20_000_000n, "b"),
      // Written after b, though it is a little older: the streams are told apart only by who got hold of the lock.
      line(19_000_000n, "c", "stderr"),
      line(20_000_000n, "d"),
    ];
    assert.equal(cursor.sinceNs, undefined);
    cursor.restart();
    assert.deepEqual(
      log.map((one) => cursor.take(one)),
      [true, true, true, true],
    );
    for (let times = 0; times < 2; times++) {
      const sinceNs: bigint | undefined = cursor.sinceNs;
      assert.ok(sinceNs !== undefined);
      cursor.restart();
      const again: LogLine[] = log.filter(({ atNs }) => (atNs ?? 0n) >= sinceNs);
      assert.deepEqual(
        again.map((one) => cursor.take(one)),
        again.map(() => false),
      );
    }
    const late = [line(19_500_000n, "e", "stderr"), line(20_000_000n, "f"), line(30_000_000n, "g")];
    assert.deepEqual(
      late.map((one) => cursor.take(one)),
      [true, true, true],
      "a third line of one time is new, and so is one that is a little older",
    );
  });

  test("lines before the last ones that were asked for do not come later", () => {
    const cursor = createLogCursor();
    const log = [1n, 2n, 3n, 4n, 5n].map((at) => line(at * 1_000_000n, `line ${at}`));
    cursor.restart();
    for (const one of log.slice(-2)) assert.ok(cursor.take(one));
    const more = line(5_500_000n, "line 6");
    for (const expected of [[more], []]) {
      cursor.restart();
      assert.deepEqual(
        [...log, more].filter((one) => cursor.take(one)),
        expected,
      );
    }
  });

  test("a log of which nothing known is left goes on with what is newer", () => {
    const cursor = createLogCursor();
    for (const at of [1n, 2n]) cursor.take(line(at, "rotated away"));
    cursor.restart();
    assert.deepEqual([cursor.take(line(3n, "a")), cursor.take(line(3n, "b"))], [true, true]);
  });

  test("remembers no more than the newest lines", () => {
    const cursor = createLogCursor();
    for (let at = 0n; at < 100_000n; at++) cursor.take(line(at * 1_000_000n, "x"));
    cursor.restart();
    assert.equal(cursor.take(line(50_000_000_000n, "x")), false, "what is older was read before");
    assert.equal(cursor.sinceNs, BASE_NS + 99_999_000_000n - 10_000_000n);
  });

  test("lines without a time are always new", () => {
    const cursor = createLogCursor();
    const bare: LogLine = { stream: "stdout", atNs: undefined, atMs: undefined, text: "x" };
    assert.deepEqual([cursor.take(bare), cursor.take(bare)], [true, true]);
  });
});
