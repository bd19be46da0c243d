// SPDX-License-Identifier: Apache-2.0
// What leading a fleet promises on any store, as tests: at most one leader's writes take effect.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { createFleetBoard, type FleetBoard } from "#control/fleet/fleet-board.ts";
import {
  createLeadership,
  type Leadership,
  type LeadershipOptions,
} from "#control/fleet/leadership.ts";
import type { Store } from "#store/store.ts";
import { createStoreDoor, type StoreDoor } from "./store-door.ts";

/** A store that several nodes share, and how time passes there. */
export interface LeadershipGround extends AsyncDisposable {
  readonly store: Store;
  readonly clock: Clock;
  readonly sessionMs: number;
  /** Lets a little time pass. */
  elapse(): Promise<void>;
}

/** One node that stands for leader. */
export interface Candidate extends AsyncDisposable {
  readonly name: string;
  readonly door: StoreDoor;
  readonly board: FleetBoard;
  readonly leadership: Leadership;
}

/** A roll on which nobody else stands. */
const EMPTY: LeadershipOptions["roll"] = {
  list: () => [],
  onChange: () => undefined,
  onLook: () => () => undefined,
};

/** Starts one; it stands for leader until disposed of. */
export function startCandidate(name: string, ground: LeadershipGround, roll = EMPTY): Candidate {
  const { store, clock, sessionMs } = ground;
  const logger = silentLogger;
  const door = createStoreDoor(store);
  const board = createFleetBoard({
    openStore: () => Promise.resolve(door.store),
    sessionMs,
    clock,
    random: Math.random,
    logger,
  });
  const leadership = createLeadership({ board, self: name, roll, clock, logger });
  const stopping = new AbortController();
  const running = Promise.all([board.run(stopping.signal), leadership.run(stopping.signal)]);
  return {
    name,
    door,
    board,
    leadership,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

const STEPS_MAX = 400;

async function until(ground: LeadershipGround, what: string, holds: () => boolean): Promise<void> {
  for (let step = 0; step < STEPS_MAX && !holds(); step++) await ground.elapse();
  assert.ok(holds(), what);
}

/** Declares the tests. */
export function leadershipRules(name: string, create: () => Promise<LeadershipGround>): void {
  test(`${name}: one leads, all know who, and another follows the one that ends`, async () => {
    await using ground = await create();
    const a = startCandidate("a", ground);
    await until(ground, "a leads", () => a.leadership.fence !== undefined);
    await using b = startCandidate("b", ground);
    await until(ground, "b knows", () => b.leadership.leader === "a");
    assert.equal(b.leadership.fence, undefined);
    const first = a.leadership.fence ?? 0;
    await a[Symbol.asyncDispose]();
    await until(ground, "b follows", () => b.leadership.leader === "b");
    assert.ok((b.leadership.fence ?? 0) > first);
  });

  test(`${name}: what a leader wrote before it was paused over its lease has no effect`, async () => {
    await using ground = await create();
    await using a = startCandidate("a", ground);
    await until(ground, "a leads", () => a.leadership.fence !== undefined);
    await using b = startCandidate("b", ground);
    await until(ground, "b is there", () => b.board.lease !== undefined);
    const first = a.leadership.fence ?? 0;
    const release = a.door.hold();
    const late = a.leadership.write(first, [
      { kind: "put", key: "assignments/shop", value: "by a" },
    ]);
    a.door.shut();
    await until(ground, "a gives up", () => a.leadership.fence === undefined);
    await until(ground, "b follows", () => b.leadership.fence !== undefined);
    assert.equal(
      await b.leadership.write(b.leadership.fence ?? 0, [
        { kind: "put", key: "assignments/shop", value: "by b" },
      ]),
      true,
    );
    release();
    assert.equal(await late, false);
    assert.equal((await ground.store.get("assignments/shop"))?.value, "by b");
    a.door.open();
    await until(ground, "a knows", () => a.leadership.leader === "b");
    assert.equal(
      await a.leadership.write(first, [{ kind: "delete", key: "assignments/shop" }]),
      false,
    );
    assert.equal((await ground.store.get("assignments/shop"))?.value, "by b");
  });

  test(`${name}: who is gone by the roll is followed before its lease ends, and writes nothing then`, async () => {
    await using ground = await create();
    await using a = startCandidate("a", ground);
    await until(ground, "a leads", () => a.leadership.fence !== undefined);
    const first = a.leadership.fence ?? 0;
    const lost = { id: "a", state: "suspect" } as NodeView;
    let turn = (): void => undefined;
    const onChange = (listener: () => void): void => void (turn = listener);
    let seen = lost;
    await using b = startCandidate("b", ground, { ...EMPTY, list: () => [seen], onChange });
    await until(ground, "b knows", () => b.leadership.leader === "a");
    turn();
    await ground.elapse();
    assert.equal(b.leadership.fence, undefined);
    const beganMs = ground.clock.monotonicMs();
    seen = { ...lost, state: "gone" };
    turn();
    await until(ground, "b follows", () => b.leadership.fence !== undefined);
    assert.ok(ground.clock.monotonicMs() - beganMs < ground.sessionMs);
    await until(ground, "a knows", () => a.leadership.leader === "b");
    assert.ok(a.board.lease !== undefined);
    assert.equal(await a.leadership.write(first, [{ kind: "put", key: "x", value: 1 }]), false);
  });

  test(`${name}: leadership is given up at once when the store is away, and another write needs it`, async () => {
    await using ground = await create();
    await using a = startCandidate("a", ground);
    await until(ground, "a leads", () => a.leadership.fence !== undefined);
    const first = a.leadership.fence ?? 0;
    a.door.shut();
    await until(ground, "a gives up", () => a.leadership.fence === undefined);
    assert.equal(await a.leadership.write(first, [{ kind: "put", key: "x", value: 1 }]), false);
    await until(ground, "its lease has ended", () => a.board.heldLease === undefined);
    a.door.open();
    await until(ground, "a leads again", () => a.leadership.fence !== undefined);
    const second = a.leadership.fence ?? 0;
    // What it decided while it led before is of another time.
    assert.equal(await a.leadership.write(first, [{ kind: "put", key: "x", value: 2 }]), false);
    assert.equal(await a.leadership.write(second, [{ kind: "put", key: "x", value: 3 }]), true);
  });
}
