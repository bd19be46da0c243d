// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import type { Facts } from "#model/facts.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { awaitViews, refusePart } from "./await-views.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { FleetDesk } from "./fleet/fleet-desk.ts";

/** A node of a fleet that has just begun, and what it knows by now. */
function begin() {
  const now = { isPart: true, ready: false, problem: undefined as string | undefined, asOfMs: 0 };
  const listeners = new Set<() => void>();
  const board = {
    get ready() {
      return now.ready;
    },
    get problem() {
      return now.problem;
    },
    read: () => ({ asOfMs: now.asOfMs }) as Partial<Facts> as Facts,
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  } as Partial<FactsBoard> as FactsBoard;
  const fleet = {
    whole: () => Promise.resolve(),
    mayBePart: () => now.isPart,
    wanted: (scope: string) => (scope === "shop" ? {} : undefined),
    problem: undefined,
  } as Partial<FleetDesk> as FleetDesk;
  const clock = createManualClock();
  const refused = (scope: string): string => {
    try {
      refusePart(scope, { fleet, board, clock });
      return "";
    } catch (thrown) {
      const { kind, message } = FairleadError.from(thrown);
      return `${kind.id} ${message}`;
    }
  };
  return { now, listeners, parts: { fleet, board, clock }, refused };
}

test("of a scope of a fleet all is said, or that it is not known yet", () => {
  const { now, refused } = begin();
  assert.equal(refused("shop"), "FL0765 shop on other nodes: not read yet");
  now.isPart = false;
  assert.equal(refused("shop"), "FL0765 shop on this node: engine: not read yet");
  assert.equal(refused("own"), "");
  now.asOfMs = 1;
  assert.equal(refused("shop"), "");
});

test("the first list of an engine is waited for, until it is there or fails, and not for ever", async () => {
  for (const turn of [{ ready: true }, { problem: "it is away" }, {}]) {
    const { now, listeners, parts } = begin();
    let isOver = false;
    const waiting = awaitViews(parts).then(() => (isOver = true));
    await parts.clock.advance(2_000);
    assert.equal(isOver, false);
    Object.assign(now, turn);
    for (const listener of listeners) listener();
    await parts.clock.advance(Object.keys(turn).length === 0 ? 1_100 : 1);
    await waiting;
    assert.equal(listeners.size, 0);
  }
});
