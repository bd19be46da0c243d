// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildScope } from "#brain/testing/fleet.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createFencing } from "./fencing.ts";
import { createParting } from "./parting.ts";

type Assigned = { readonly slot: number; readonly node: string; readonly from?: string[] };

/** The fence of node `a`, whose loops have just begun, and what it follows from. */
function open() {
  const clock = createManualClock();
  const board: { problem: string | undefined; heldLease: string | undefined } = {
    problem: "not asked",
    heldLease: undefined,
  };
  const known = { under: undefined as string | undefined, assigned: [] as readonly Assigned[] };
  const parting = { isAwaited: false };
  const intent = buildIntent([buildService({ name: "one", singleton: true })]);
  const scope = () =>
    buildScope(intent, {
      assignment: { generation: 1, fence: 1, services: { one: [...known.assigned] }, missing: [] },
    });
  const read = createFencing({
    self: "a",
    board,
    pictures: { scope },
    settledUnder: () => known.under,
    parting,
    clock,
  });
  read(intent);
  return { clock, board, known, parting, read: () => read(intent) };
}

test("a node that has just started waits for 5 s, then stops what another may run", async () => {
  const { clock, board, known, read } = open();
  assert.equal(read(), "unsure");
  await clock.advance(4_900);
  assert.equal(read(), "unsure");
  await clock.advance(200);
  assert.equal(read(), "shut");
  board.heldLease = "l1";
  assert.equal(read(), "shut");
  known.under = "l1";
  assert.equal(read(), "open");
  board.heldLease = "l2";
  assert.equal(read(), "unsure");
  board.heldLease = undefined;
  assert.equal(read(), "shut");
});

test("what is still assigned to it runs on however long its start takes, by a store that answers", async () => {
  const { clock, board, known, read } = open();
  Object.assign(board, { problem: undefined, heldLease: "l1" });
  await clock.advance(20_000);
  const stands: readonly (readonly Assigned[])[] = [
    [{ slot: 1, node: "a" }],
    [],
    [{ slot: 1, node: "b" }],
    [{ slot: 1, node: "a", from: ["b"] }],
    [{ slot: 1, node: "b", from: ["a"] }],
  ];
  const fences = stands.map((assigned) => {
    known.assigned = assigned;
    return read();
  });
  assert.deepEqual(fences, ["unsure", "shut", "shut", "shut", "shut"]);
  known.assigned = [{ slot: 1, node: "a" }];
  board.problem = "it does not answer";
  assert.equal(read(), "shut");
  Object.assign(board, { problem: undefined, heldLease: undefined });
  assert.equal(read(), "shut");
});

test("while its last life left its word in the store, it waits for a store that is silent", async () => {
  const { clock, parting, read } = open();
  parting.isAwaited = true;
  await clock.advance(20_000);
  assert.equal(read(), "unsure");
  parting.isAwaited = false;
  assert.equal(read(), "shut");
});

test("a next life knows for 30 s that its word was left, once, and not on a host that began anew", async () => {
  const clock = createManualClock();
  await using fleet = createMemoryStore({ clock });
  await using own = createMemoryStore({ clock });
  let bootedMs = -60_000;
  const start = async () => {
    const parting = createParting({
      self: "a",
      own,
      hostUpMs: () => clock.monotonicMs() - bootedMs,
    });
    await parting.recall();
    return parting;
  };
  const put = (lease: string) => ({ kind: "put", key: "offers/a", value: SCOPE, lease }) as const;
  const first = await start();
  assert.equal(first.isAwaited, false);
  await first.leave(fleet);
  assert.equal((await start()).isAwaited, false, "it had said nothing");

  const { id: lease } = await fleet.grantLease(10_000);
  await fleet.transact([put(lease)]);
  await first.leave(fleet);
  await fleet.revokeLease(lease);
  const second = await start();
  assert.equal(second.isAwaited, true);
  await clock.advance(29_000);
  assert.equal(second.isAwaited, true);
  assert.ok(await fleet.get("offers/a"));
  assert.equal((await start()).isAwaited, false, "a life between has used it up");
  await clock.advance(2_000);
  assert.equal(second.isAwaited, false);
  assert.equal(await fleet.get("offers/a"), undefined);

  await fleet.transact([put((await fleet.grantLease(10_000)).id)]);
  await second.leave(fleet);
  bootedMs = clock.monotonicMs();
  assert.equal((await start()).isAwaited, false, "the host began anew");
});
