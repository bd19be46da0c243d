// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createFleetBoard } from "./fleet-board.ts";
import { createParting } from "./parting.ts";

/** As a part of a store that others use too: what they write makes its revision grow, and no watch of this part tells of it. */
function shareStore(store: Store): Store {
  const others = 1_000;
  return {
    ...store,
    async transact(operations, conditions, options) {
      const before = (await store.list("")).revision;
      const at = await store.transact(operations, conditions, options);
      return at === before ? before + others : at;
    },
  };
}

/** A board over a store, which answers. */
async function openBoard(store: Store) {
  const clock = createManualClock();
  const ending = new AbortController();
  const parting = createParting({ self: "a", own: store, hostUpMs: () => clock.monotonicMs() });
  const board = createFleetBoard({
    openStore: () => Promise.resolve(store),
    onLeave: (one) => parting.leave(one),
    clock,
    random: Math.random,
    logger: silentLogger,
  });
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      if (isSo()) resolve();
      board.onChange(() => (isSo() ? resolve() : undefined));
    });
  const running = board.run(ending.signal);
  await until(() => board.problem === undefined);
  return {
    board,
    clock,
    until,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await clock.advance(1_000);
      await running;
    },
  };
}

test("write() returns when what was to be deleted is not there, though no watch tells of it", async () => {
  await using memory = createMemoryStore({ clock: createManualClock() });
  await using opened = await openBoard(shareStore(memory));
  const { board } = opened;
  const put = { kind: "put", key: "offers/a", value: 1 } as const;
  assert.ok(await board.write([put]));
  assert.equal(board.get("offers/a")?.value, 1);
  const remove = { kind: "delete", key: "offers/never" } as const;
  assert.ok(await board.write([remove]));
  await memory.transact([{ kind: "delete", key: "offers/a" }]);
  // Whether or not the picture has the deletion of somebody else already, it has it then.
  assert.ok(await board.write([{ kind: "delete", key: "offers/a" }, remove]));
  assert.equal(board.get("offers/a"), undefined);
});

test("reports of nodes are in the picture while somebody holds them, all of them at once, and a while after", async () => {
  await using memory = createMemoryStore({ clock: createManualClock() });
  await using opened = await openBoard(memory);
  const { board, clock, until } = opened;
  const report = (node: string) =>
    ({ kind: "put", key: `reports/${node}/shop`, value: node }) as const;
  const listed = (): readonly string[] => [...board.list("reports").keys()];
  await memory.transact([report("a"), report("b")]);
  // Nobody waits for the picture to have what it does not take in.
  assert.ok(await board.write([report("c"), { kind: "put", key: "offers/c", value: 1 }]));
  assert.deepEqual([board.hasReports, listed()], [false, []]);
  assert.equal(board.get("offers/c")?.value, 1);

  const hold = board.holdReports();
  await hold.ready;
  assert.deepEqual([board.hasReports, listed()], [true, ["a/shop", "b/shop", "c/shop"]]);
  assert.ok(await board.write([report("d")]));
  assert.equal(board.get("reports/d/shop")?.value, "d");

  hold[Symbol.dispose]();
  await clock.advance(59_000);
  assert.equal(board.hasReports, true);
  const left = until(() => !board.hasReports);
  await clock.advance(61_000);
  await left;
  assert.deepEqual(listed(), []);
  using again = board.holdReports();
  await again.ready;
  assert.equal(listed().length, 4);
});

test("what a node said of itself and of its containers outlives it for a while, and nothing else does", async () => {
  const clock = createManualClock();
  await using memory = createMemoryStore({ clock });
  const kept = (): Store => ({ ...memory, [Symbol.asyncDispose]: () => Promise.resolve() });
  {
    await using opened = await openBoard(kept());
    const { lease = "" } = opened.board;
    const put = (key: string) => ({ kind: "put", key, value: 1, lease }) as const;
    const keys = Array.from({ length: 120 }, (_, index) => `reports/a/shop-${index}`);
    await opened.board.write([...keys, "offers/a", "leader"].map(put));
  }
  const count = async (prefix: string) => (await memory.list(prefix)).entries.length;
  assert.deepEqual(
    [await count("reports/a/"), await count("offers/"), await count("leader")],
    [120, 1, 0],
  );
  await clock.advance(29_000);
  assert.deepEqual([await count("reports/a/"), await count("offers/")], [120, 1]);
  await clock.advance(2_000);
  assert.deepEqual([await count("reports/a/"), await count("offers/")], [0, 0]);
});

test("who waits for reports is not kept waiting by a store that does not answer", async () => {
  const clock = createManualClock();
  const ending = new AbortController();
  const board = createFleetBoard({
    openStore: () => Promise.reject(new Error("nobody answers")),
    clock,
    random: Math.random,
    logger: silentLogger,
  });
  using early = board.holdReports();
  const running = board.run(ending.signal);
  await early.ready;
  using late = board.holdReports();
  await late.ready;
  assert.equal(board.hasReports, false);
  ending.abort();
  await clock.advance(1_000);
  await running;
});
