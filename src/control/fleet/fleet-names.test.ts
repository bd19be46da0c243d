// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeLinks, ToldListener } from "@fairlead/fabric/node-links.ts";
import type { NodeState, NodeView } from "@fairlead/protocol/node.ts";
import { silentLogger } from "#base/logger.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createFleetNames } from "./fleet-names.ts";

const WEB = [{ scope: "shop", name: "web", members: [] }];

/** A node that has just begun, and how it sees another. */
async function begin() {
  const clock = createManualClock();
  const ending = new AbortController();
  const now: { state: NodeState; problem: string | undefined } = {
    state: "alive",
    problem: undefined,
  };
  let look = (): void => undefined;
  let tell: ToldListener = () => undefined;
  const stop = (): void => undefined;
  const nodes = {
    onTold(listener: ToldListener) {
      tell = listener;
      return stop;
    },
    setReach: () => undefined,
    tell: () => undefined,
  } as Partial<NodeLinks> as NodeLinks;
  const other = { id: "b", name: "node-b", self: false };
  const roll = {
    get problem() {
      return now.problem;
    },
    list: () => [{ ...other, state: now.state } as NodeView],
    onLook(listener: () => void) {
      look = listener;
      return stop;
    },
  };
  const names = createFleetNames({
    board: { ready: false, onChange: () => stop } as Partial<FactsBoard> as FactsBoard,
    farewells: { has: () => false, onChange: () => stop },
    nodes,
    roll,
    overlays: { reaches: () => false, onReach: () => stop },
    clock,
    logger: silentLogger,
  });
  const running = names.run(ending.signal);
  return {
    /** Whether it is whole once a node is seen so, after so long. */
    async whole(state: NodeState, afterMs = 0): Promise<boolean> {
      now.state = state;
      await clock.advance(afterMs);
      look();
      return names.isWhole;
    },
    tell: () => tell(other, "names", WEB),
    list: () => names.list().map(({ name }) => name),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

test("no name is denied while a node that may have it has not told its own, and is not gone", async () => {
  await using alive = await begin();
  assert.equal(await alive.whole("alive"), false);
  assert.equal(await alive.whole("suspect", 1_000), false);
  alive.tell();
  assert.equal(await alive.whole("suspect"), true);
  await using lost = await begin();
  assert.equal(await lost.whole("suspect", 1_000), false);
  assert.equal(await lost.whole("gone"), true);
  await using silent = await begin();
  assert.equal(await silent.whole("alive", 29_900), false);
  assert.equal(await silent.whole("alive", 100), true);
});

test("one that said that it leaves is waited for as long as it may come back", async () => {
  await using names = await begin();
  assert.equal(await names.whole("left"), false);
  assert.equal(await names.whole("left", 29_000), false);
  assert.equal(await names.whole("left", 1_000), true);
});

test("the names of a node stay, whatever becomes of it", async () => {
  await using names = await begin();
  names.tell();
  for (const state of ["alive", "suspect", "left", "gone", "alive"] as const) {
    await names.whole(state);
    assert.deepEqual(names.list(), ["web"]);
  }
});
