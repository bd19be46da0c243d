// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView } from "@fairlead/protocol/node.ts";
import fc from "fast-check";
import {
  leadershipRules,
  startCandidate,
  type LeadershipGround,
} from "#control/testing/leadership-rules.ts";
import { openStore } from "#store/open.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import type { LeadershipOptions } from "./leadership.ts";

const SESSION_MS = 10_000;
const STEP_MS = 500;

async function createGround(): Promise<LeadershipGround> {
  const clock = createManualClock();
  const store = await openStore({ kind: "memory" }, { clock });
  return {
    store,
    clock,
    sessionMs: SESSION_MS,
    elapse: () => clock.advance(STEP_MS),
    async [Symbol.asyncDispose]() {
      await clock.advance(SESSION_MS);
      await store[Symbol.asyncDispose]();
    },
  };
}

leadershipRules("memory", createGround);

test("one whose lease was given too late leads with the next renewal, though nothing else happens", async () => {
  await using ground = await createGround();
  let isFirst = true;
  const slow: LeadershipGround["store"] = {
    ...ground.store,
    async grantLease(...args) {
      if (isFirst) await ground.clock.sleep(SESSION_MS + STEP_MS);
      isFirst = false;
      return ground.store.grantLease(...args);
    },
  };
  await using one = startCandidate("a", { ...ground, store: slow });
  for (let ms = 0; ms < 2 * SESSION_MS; ms += STEP_MS) await ground.elapse();
  assert.ok(one.leadership.fence !== undefined);
});

test("a leader that starts again follows its own former life before that lease ends, and what that one wrote late has no effect", async () => {
  await using ground = await createGround();
  const former = startCandidate("a", ground);
  for (let i = 0; i < 4; i++) await ground.elapse();
  const before = former.leadership.fence;
  assert.ok(before !== undefined);
  const release = former.door.hold();
  const late = former.leadership.write(before, [{ kind: "put", key: "x", value: "late" }]);
  former.door.shut();
  await former[Symbol.asyncDispose]();
  await using next = startCandidate("a", ground);
  for (let ms = 0; ms < SESSION_MS / 2; ms += STEP_MS) await ground.elapse();
  assert.ok((next.leadership.fence ?? 0) > before);
  release();
  assert.equal(await late, false);
  assert.equal(await ground.store.get("x"), undefined);
});

test("a lease is held for its whole time when the store is away, and not longer", async () => {
  await using ground = await createGround();
  await using a = startCandidate("a", ground);
  for (let i = 0; i < 4; i++) await ground.elapse();
  a.door.shut();
  const endsMs = ground.clock.monotonicMs() + SESSION_MS;
  await ground.elapse();
  assert.equal(a.board.lease, undefined);
  assert.notEqual(a.board.heldLease, undefined);
  while (ground.clock.monotonicMs() < endsMs) await ground.elapse();
  assert.equal(a.board.heldLease, undefined);
});

test("two that reach the store and not each other do not take the lead from each other all the time", async () => {
  await using ground = await createGround();
  const lookers = new Set<() => void>();
  const seeGone = (of: string): LeadershipOptions["roll"] => ({
    list: () => [{ id: of, state: "gone" } as NodeView],
    onChange: () => undefined,
    onLook: (looker) => {
      lookers.add(looker);
      return () => void lookers.delete(looker);
    },
  });
  await using a = startCandidate("a", ground, seeGone("b"));
  await using b = startCandidate("b", ground, seeGone("a"));
  const fences = new Set<number>();
  for (let ms = 0; ms < 60_000; ms += STEP_MS) {
    await ground.elapse();
    for (const looker of lookers) looker();
    for (const { leadership } of [a, b])
      if (leadership.fence !== undefined) fences.add(leadership.fence);
  }
  // One that is gone is followed all the same, once it has led for its time.
  assert.ok(fences.size >= 3 && fences.size <= 7, `${fences.size} leads`);
});

const NAMES = ["a", "b", "c"] as const;
const LONG_STEPS = 26;
/** `stop`: it writes, and both the write and the node hang. `go`: they go on. */
const step = fc.record({
  kind: fc.constantFrom("stop", "go", "shut", "open", "write", "elapse", "elapse long"),
  of: fc.constantFrom(0, 1, 2),
});

test("whatever is cut, held up and mended: each write that took effect was by who led at that revision", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      await using ground = await createGround();
      const candidates = NAMES.map((name) => startCandidate(name, ground));
      const releases: (() => void)[] = candidates.map(() => () => undefined);
      const writes: Promise<unknown>[] = [];
      for (const { kind, of } of steps) {
        const one = candidates[of];
        if (one === undefined) continue;
        if (kind === "elapse") await ground.elapse();
        if (kind === "elapse long") for (let i = 0; i < LONG_STEPS; i++) await ground.elapse();
        if (kind === "stop") {
          releases[of]?.();
          releases[of] = one.door.hold();
        }
        if (kind === "stop" || kind === "write") {
          const value = one.leadership.fence ?? 0;
          const put = { kind: "put" as const, key: "assignments/shop", value };
          writes.push(one.leadership.write(value, [put]).catch(() => undefined));
        }
        if (kind === "shut" || kind === "stop") one.door.shut();
        if (kind === "open" || kind === "go") one.door.open();
        if (kind === "go") releases[of]?.();
      }
      for (const release of releases) release();
      for (let i = 0; i < 4; i++) await ground.elapse();
      let leads = 0;
      const reading = AbortSignal.timeout(10_000);
      const { revision: last } = await ground.store.list("");
      const history = last === 0 ? [] : ground.store.watch("", 0, { signal: reading });
      for await (const changes of history) {
        for (const { kind, key, value, revision } of changes) {
          if (key === "leader") leads = kind === "put" ? revision : 0;
          if (key === "assignments/shop") assert.equal(value, leads);
        }
        if ((changes.at(-1)?.revision ?? 0) >= last) break;
      }
      for (const one of candidates) one.door.open();
      for (let i = 0; i < 60; i++) await ground.elapse();
      assert.equal(candidates.filter((one) => one.leadership.fence !== undefined).length, 1);
      await Promise.all(candidates.map((one) => one[Symbol.asyncDispose]()));
      await Promise.all(writes);
    }),
    { numRuns: Number(process.env["FAIRLEAD_LEADER_RUNS"] ?? 60) },
  );
});
