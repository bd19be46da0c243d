// SPDX-License-Identifier: Apache-2.0
// Decisions while the store takes no writes: answered all the same, written in order afterwards, and counted when lost.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import type { PlannedAction } from "#model/action.ts";
import { createFullStore } from "#store/testing/create-full-store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createDecisionLog } from "./decision-log.ts";

const CONTEXT = { scope: "shop", actor: "automatic" };
const QUERY = { scope: "shop", limit: 100 };
const RETRY_MS = 2_000;

function describeAct(object: string): PlannedAction {
  return {
    key: object,
    act: "instance.start",
    service: "web",
    object,
    title: `started ${object}`,
    trigger: { kind: "exit", detail: "process ended", atMs: 0 },
    rule: { text: "restart" },
    inputs: {},
    notDone: [],
  };
}

async function openLog(waitingMax?: number) {
  const clock = createManualClock();
  const disk = await createFullStore(clock);
  const { store } = disk;
  let seed = 0;
  const log = createDecisionLog({
    store,
    clock,
    random: () => (seed++ % 32) / 32,
    logger: silentLogger,
    ...(waitingMax === undefined ? {} : { waitingMax }),
  });
  /** An act a millisecond later than the one before, so that ids sort. */
  const begin = async (object: string) => {
    await clock.advance(1);
    return log.begin(describeAct(object), CONTEXT, [
      { kind: "put", key: "memory/shop/web", value: { last: object } },
    ]);
  };
  const titles = async () => (await log.list(QUERY)).map(({ object }) => object);
  return { ...disk, clock, log, begin, titles };
}

describe("decisions that wait for a full store", () => {
  test("are listed with those that are stored, newest first and each once", async () => {
    const { log, begin, fill, titles } = await openLog();
    const stored = await begin("a");
    await log.finish(await begin("b"), { outcome: "done" });
    fill();
    await log.finish(stored, { outcome: "done", result: "running" });
    const last = await begin("c");
    assert.deepEqual(await titles(), ["c", "b", "a"]);
    const [newest, , oldest] = await log.list(QUERY);
    assert.equal(newest?.outcome, "pending");
    assert.equal(oldest?.outcome, "done", "what waits is newer than what is stored");
    assert.equal((await log.get(stored.id))?.result, "running");
    assert.deepEqual(
      (await log.list({ ...QUERY, before: last.id })).map(({ object }) => object),
      ["b", "a"],
    );
    assert.deepEqual(
      (await log.list({ ...QUERY, limit: 1 })).map(({ id }) => id),
      [last.id],
    );
  });

  test("are written in order when there is room", async () => {
    const { clock, log, begin, fill, free, store, titles } = await openLog();
    fill();
    for (const object of ["a", "b", "c"])
      await log.finish(await begin(object), { outcome: "done" });
    assert.equal(log.problem?.kind.id, "FL0402");
    assert.equal((await store.list("decision/")).entries.length, 0);
    free();
    await clock.advance(RETRY_MS);
    assert.equal(log.problem, undefined);
    assert.equal(log.loss, undefined);
    assert.equal((await store.list("decision/")).entries.length, 3);
    assert.equal((await store.list("pending/")).entries.length, 0);
    assert.deepEqual(await titles(), ["c", "b", "a"]);
  });

  test("beyond what may wait: the oldest are lost and counted, what is to be remembered is not", async () => {
    const { clock, log, begin, fill, free, store, titles } = await openLog(4);
    fill();
    await log.write([{ kind: "put", key: "scope/shop", value: "wanted" }]);
    for (const object of ["a", "b", "c", "d", "e", "f"]) await begin(object);
    assert.deepEqual(log.loss, { count: 3, atMs: clock.nowMs() });
    free();
    await clock.advance(RETRY_MS);
    assert.equal(log.problem, undefined);
    assert.deepEqual(await titles(), ["f", "e", "d"]);
    assert.equal((await store.get("scope/shop"))?.value, "wanted");
    assert.deepEqual((await store.get("memory/shop/web"))?.value, { last: "f" });
  });

  test("the one that is being written is never the one that is dropped", async () => {
    const { clock, log, begin, fill, free, holdNext, titles } = await openLog(3);
    fill();
    for (const object of ["a", "b", "c"]) await begin(object);
    const release = holdNext();
    free();
    await clock.advance(RETRY_MS);
    for (const object of ["d", "e"]) await begin(object);
    release({ fail: false });
    await clock.advance(1);
    await clock.advance(RETRY_MS);
    assert.equal(log.loss?.count, 3);
    assert.deepEqual(await titles(), ["e", "a"], "a was on its way; the next ones made room");
  });

  test("a begin whose end waits too is not lost with its room", async () => {
    const { log, begin, fill, titles } = await openLog(3);
    fill();
    await log.finish(await log.begin(describeAct("a"), CONTEXT), { outcome: "done" });
    await begin("b");
    await begin("c");
    assert.equal(log.loss, undefined);
    assert.deepEqual(await titles(), ["c", "b", "a"]);
  });
});

test("a write that fails late does not undo a newer one of the same key", async () => {
  const { clock, log, holdNext, store } = await openLog();
  const key = "memory/shop/web";
  const release = holdNext();
  const older = log.write([
    { kind: "put", key, value: 1 },
    { kind: "put", key: "memory/shop/db", value: 1 },
  ]);
  await log.write([{ kind: "put", key, value: 2 }]);
  release({ fail: true });
  await older;
  await clock.advance(RETRY_MS);
  assert.equal((await store.get(key))?.value, 2);
  assert.equal((await store.get("memory/shop/db"))?.value, 1);
});

test("writes without a decision wait as one when there are many", async () => {
  const { clock, log, fill, free, store } = await openLog(4);
  fill();
  for (let value = 0; value < 50; value++)
    await log.write([{ kind: "put", key: `memory/shop/${value % 3}`, value }]);
  free();
  const { revision } = await store.list("");
  await clock.advance(RETRY_MS);
  const after = await store.list("memory/");
  assert.deepEqual(
    after.entries.map(({ value }) => value),
    [48, 49, 47],
  );
  assert.ok(after.revision - revision <= 4, "no more transactions than may wait");
  assert.equal(log.loss, undefined);
});

test("what a node left pending ends as interrupted, at the time at which the next one found it", async () => {
  const { log, begin, clock, store } = await openLog();
  const { id, startedAtMs } = await begin("a");
  await log.finish(await begin("b"), { outcome: "done" });
  await clock.advance(700);
  const next = createDecisionLog({ store, clock, random: () => 0, logger: silentLogger });
  assert.equal(await next.recover(), 1);
  const found = await next.get(id);
  assert.deepEqual(
    [found?.outcome, found?.finishedAtMs, found?.durationMs],
    ["interrupted", clock.nowMs(), clock.nowMs() - startedAtMs],
  );
  assert.deepEqual(await next.list({ ...QUERY, outcome: "pending" }), []);
  assert.equal(await next.recover(), 0);
});
