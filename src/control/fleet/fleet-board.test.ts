// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createFleetBoard } from "./fleet-board.ts";

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

test("write() returns when what was to be deleted is not there, though no watch tells of it", async () => {
  const clock = createManualClock();
  const ending = new AbortController();
  await using memory = createMemoryStore({ clock });
  const board = createFleetBoard({
    openStore: () => Promise.resolve(shareStore(memory)),
    clock,
    random: Math.random,
    logger: silentLogger,
  });
  const ready = new Promise<void>((resolve) =>
    board.onChange(() => (board.problem === undefined ? resolve() : undefined)),
  );
  const running = board.run(ending.signal);
  await ready;
  const put = { kind: "put", key: "offers/a", value: 1 } as const;
  assert.ok(await board.write([put]));
  assert.equal(board.get("offers/a")?.value, 1);
  const remove = { kind: "delete", key: "offers/never" } as const;
  assert.ok(await board.write([remove]));
  await memory.transact([{ kind: "delete", key: "offers/a" }]);
  // Whether or not the picture has the deletion of somebody else already, it has it then.
  assert.ok(await board.write([{ kind: "delete", key: "offers/a" }, remove]));
  assert.equal(board.get("offers/a"), undefined);
  ending.abort();
  await clock.advance(1_000);
  await running;
});
