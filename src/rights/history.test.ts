// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRightsHistory } from "./history.ts";

const ASK = {
  scope: "shop",
  caller: "web",
  action: "call",
  target: "research",
  method: "",
} as const;
const MINUTE_MS = 60_000;

describe("what is usual", () => {
  test("follows slowly, so that a burst stands out; silence forgets", () => {
    const history = createRightsHistory(0);
    let nowMs = 0;
    for (let minute = 0; minute < 60; minute++, nowMs += MINUTE_MS)
      for (let i = 0; i < 10; i++) history.count(ASK, nowMs);
    const calm = history.look(ASK, nowMs);
    assert.equal(calm.usualPerMinute, 10);
    for (let i = 0; i < 300; i++) history.count(ASK, nowMs + 59_999);
    const burst = history.look(ASK, nowMs + 59_999);
    assert.equal(burst.perMinute, 301);
    assert.equal(burst.timesUsual, 30);
    assert.equal(history.look(ASK, nowMs + 3_600_000 * 3).usualPerMinute, 0);
  });

  test("two minutes that touch are no way around a rate", () => {
    const history = createRightsHistory(0);
    for (let i = 0; i < 100; i++) history.count(ASK, MINUTE_MS - 1);
    assert.equal(history.count(ASK, MINUTE_MS).perMinute, 101);
    assert.equal(history.look(ASK, MINUTE_MS + MINUTE_MS / 2).perMinute, 52);
  });

  test("messages count together, whatever their subjects; a kind of subject is new once", () => {
    const history = createRightsHistory(0);
    const say = (target: string) => ({ ...ASK, action: "publish", target }) as const;
    for (let i = 0; i < 50; i++) history.count(say(`orders.${i}`), 0);
    assert.equal(history.count(say("other.1"), 0).perMinute, 51);
    assert.equal(history.look(ASK, 0).perMinute, 1, "calls are another matter");
    history.admit(say("orders.1"));
    assert.equal(history.look(say("orders.2"), 0).newPeer, false);
    assert.equal(history.look(say("other.1"), 0).newPeer, true);
  });

  test("a peer is new until it was let through, and each has its own history", () => {
    const history = createRightsHistory(0);
    assert.equal(history.count(ASK, 0).newPeer, true);
    assert.equal(history.count(ASK, 0).newPeer, true);
    history.admit(ASK);
    assert.equal(history.count(ASK, 0).newPeer, false);
    assert.equal(history.look({ ...ASK, target: "pay" }, 0).newPeer, true);
    assert.equal(history.look({ ...ASK, caller: "cron" }, 0).perMinute, 1);
  });
});
