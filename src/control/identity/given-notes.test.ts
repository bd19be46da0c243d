// SPDX-License-Identifier: Apache-2.0
// What a node has given, and another one ends when that node is removed; over a store in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { openStore } from "#store/open.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { createGivenNotes, revokeGiven } from "./given-notes.ts";
import { openIssuedBook } from "./issued-book.ts";
import { openRevocations } from "./revocations.ts";

const clock = systemClock;
const logger = silentLogger;
const LOST = { id: "id-lost", name: "lost" };

const certificate = (serial: string, leftMs = 60_000) => ({
  serial,
  uri: "spiffe://harbour/shop/web",
  notAfterMs: Date.now() + leftMs,
});

test("what a removed node has given is believed no more by the others; not what ended before, nor what others gave", async () => {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore({ kind: "memory" }, { clock }));
  const own = stack.use(await openStore({ kind: "memory" }, { clock }));
  const common = { openStore: () => Promise.resolve(store), clock, logger };
  const stopping = new AbortController();
  const heard = await openRevocations({ ...common, own: undefined, node: "here" });
  const told = await openRevocations({ ...common, own: undefined, node: LOST.name });
  const given = createGivenNotes({ ...common, node: LOST.id });
  const others = createGivenNotes({ ...common, node: "id-lost2" });
  const running = Promise.all([heard, told, given, others].map((one) => one.run(stopping.signal)));
  stack.defer(async () => {
    stopping.abort();
    await running;
  });
  const book = await openIssuedBook({ store: own, revocations: told, given, clock, logger });
  await book.add("a", 1, certificate("aa"));
  await book.add("b", 1, certificate("bb"));
  await book.add("c", 1, certificate("cc"));
  await others.add(certificate("dd"));
  await book.endOthers("b", undefined).told;
  const listGiven = async () =>
    (await store.list("given/")).entries.map(({ key }) => key.slice("given/".length)).toSorted();
  const giveUp = AbortSignal.timeout(30_000);
  // What ended is taken back a moment later; what is given is known before anybody has it.
  const wanted = ["id-lost/aa", "id-lost/cc", "id-lost2/dd"];
  while ((await listGiven()).length > wanted.length) await clock.sleep(5, giveUp);
  assert.deepEqual(await listGiven(), wanted);
  const news = new Promise<void>((resolve) => {
    heard.onChange(() => {
      if (heard.list().length === 3) resolve();
    });
  });
  assert.equal(await revokeGiven(store, LOST, Date.now()), 2);
  await news;
  assert.deepEqual(
    heard.list().map(({ serial, node }) => `${serial} ${node}`),
    ["aa lost", "bb lost", "cc lost"],
  );
  assert.deepEqual(await listGiven(), ["id-lost2/dd"]);
  assert.equal(await revokeGiven(store, LOST, Date.now()), 0);
});

test("nobody waits for long for a store that does not answer, and it is told once it does", async () => {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore({ kind: "memory" }, { clock }));
  let isAway = true;
  const openIt = () => (isAway ? Promise.reject(new Error("it is away")) : Promise.resolve(store));
  const notes = createGivenNotes({ openStore: openIt, clock, logger, node: "id-here" });
  const stopping = new AbortController();
  const running = notes.run(stopping.signal);
  stack.defer(async () => {
    stopping.abort();
    await running;
  });
  await notes.add(certificate("aa"));
  await notes.add(certificate("bb"));
  isAway = false;
  const giveUp = AbortSignal.timeout(30_000);
  while ((await store.list("given/")).entries.length < 2) await clock.sleep(20, giveUp);
});

test("a node that begins again says anew what it has given, as a store may have lost it", async () => {
  await using stack = new AsyncDisposableStack();
  const own = stack.use(await openStore({ kind: "memory" }, { clock }));
  const revocations = { revoke: () => Promise.resolve() };
  const said: string[] = [];
  const note = {
    add: async ({ serial }: { readonly serial: string }) => void said.push(serial),
    drop: (serial: string) => void said.push(`-${serial}`),
  };
  const parts = { store: own, revocations, clock, logger };
  const first = await openIssuedBook({ ...parts, given: undefined });
  await first.add("a", 1, certificate("aa"));
  await first.add("b", 1, certificate("bb", -1));
  await openIssuedBook({ ...parts, given: note });
  assert.deepEqual(said, ["aa", "bb", "-bb"]);
});
