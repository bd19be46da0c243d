// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Group, GroupOptions, MessageLog } from "@fairlead/fabric/log/message-log.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { NODE_METHOD } from "@fairlead/fabric/node-door.ts";
import {
  createLinkedParts,
  linkParts,
  type LinkedParts,
} from "@fairlead/fabric/testing/link-hubs.ts";
import { createFleetLog } from "./fleet-log.ts";
import { createKeptDoor } from "./kept-door.ts";
import { TOKEN_MIN } from "./token-book.ts";

const clock = {
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
  sleep: (delayMs: number, signal: AbortSignal) => sleep(delayMs, undefined, { signal }),
};
const OPTIONS: GroupOptions = {
  name: "g",
  pattern: "a.>",
  from: "now",
  ackTimeoutMs: 60_000,
  attemptsMax: 9,
  inFlightMax: 1,
};
const PATIENCE_MS = 5_000;
let count = 0;

interface Place extends AsyncDisposable {
  readonly parts: LinkedParts;
  /** What this node keeps. */
  readonly own: MessageLog;
  readonly log: MessageLog;
  publish(text: string, key?: string): Promise<void>;
  /** Messages that wait here. */
  waiting(): number;
}

function openPlace(name: string): Place {
  const own = openLog({ kind: "memory" }, { clock });
  const door = createKeptDoor({ log: own, convert: (thrown) => FabricError.from(thrown) });
  const parts = createLinkedParts(name, new Map([[NODE_METHOD.kept, door]]));
  const log = createFleetLog({ own, nodes: parts.nodes, clock });
  return {
    parts,
    own,
    log,
    async publish(text, key) {
      const more = key === undefined ? {} : { key };
      const id = `${name} ${++count}`;
      const payload = Buffer.from(text);
      const headers = { h: name };
      await log.publish({ subject: "a.b", payload, id, headers, atMs: Date.now(), ...more });
    },
    waiting: () => own.stats().groups.reduce((sum, one) => sum + one.waiting + one.inFlight, 0),
    async [Symbol.asyncDispose]() {
      parts.nodes.close();
      await log[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
    },
  };
}

const cut = (one: Place, other: Place): void =>
  one.parts.nodes.get(other.parts.hub.node.name)?.close();
const join = (one: Place, other: Place): Promise<void> => linkParts(one.parts, other.parts);

/** Two nodes that are linked. */
async function openTwo() {
  await using opened = new AsyncDisposableStack();
  const [a, b] = [opened.use(openPlace("a")), opened.use(openPlace("b"))];
  await join(a, b);
  const all = opened.move();
  return { a, b, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** The same, with a subscriber on `b`. */
async function openTwoAndGroup() {
  const { a, b, ...nodes } = await openTwo();
  const opened = new AsyncDisposableStack();
  opened.use(nodes);
  const group = opened.use(await b.log.openGroup(OPTIONS));
  return { a, b, group, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The next message. */
async function takeOne(group: Group) {
  const [message] = await group.take(1, AbortSignal.timeout(PATIENCE_MS));
  assert.ok(message !== undefined);
  return message;
}

async function takeTexts(group: Group, countMax = 9): Promise<readonly [string, number][]> {
  const messages = await group.take(countMax, AbortSignal.timeout(PATIENCE_MS));
  return messages.map(({ payload, sequence }) => [Buffer.from(payload).toString(), sequence]);
}

/** Takes and acknowledges so many, one after the other. */
async function handle(group: Group, times: number): Promise<readonly string[]> {
  const texts: string[] = [];
  while (texts.length < times)
    for (const [text, sequence] of await takeTexts(group)) {
      texts.push(text);
      await group.ack(sequence);
    }
  return texts;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not in time: ${what}`);
    await new Promise(setImmediate);
  }
}

async function holdsNothing(group: Group): Promise<void> {
  await assert.rejects(group.take(1, AbortSignal.timeout(100)), { name: "TimeoutError" });
}

describe("createFleetLog()", () => {
  test("a subscriber has the messages of all nodes, and what it acknowledges is done with where it is kept", async () => {
    await using two = await openTwoAndGroup();
    const { a, b, group } = two;
    await a.publish("one");
    await b.publish("two");
    await a.publish("three");
    const messages = await handle(group, 3);
    assert.deepEqual([...messages].sort(), ["one", "three", "two"]);
    await until("nothing waits", () => a.waiting() + b.waiting() === 0);
  });

  test("no more is given than there are hands, however many nodes have some; headers, key and attempt come along", async () => {
    await using a = openPlace("a");
    await using b = openPlace("b");
    await using c = openPlace("c");
    await Promise.all([join(a, b), join(a, c), join(b, c)]);
    await using group = await b.log.openGroup({ ...OPTIONS, inFlightMax: 2 });
    for (const place of [a, b, c]) for (const n of [1, 2, 3]) await place.publish(`${n}`, "k");
    const first = await group.take(9, AbortSignal.timeout(PATIENCE_MS));
    const more = first.length === 2 ? [] : await group.take(9, AbortSignal.timeout(PATIENCE_MS));
    const held = [...first, ...more];
    assert.equal(held.length, 2);
    await holdsNothing(group);
    assert.deepEqual(
      held.map(({ key, attempt, subject }) => [key, attempt, subject]),
      Array(2).fill(["k", 1, "a.b"]),
    );
    assert.equal(new Set(held.map(({ headers }) => headers["h"])).size, 2);
    for (const { sequence } of held) await group.ack(sequence);
    await handle(group, 7);
    await until("all is done with", () => a.waiting() + b.waiting() + c.waiting() === 0);
  });

  test("a group with subscribers on two nodes has each message once, those of a key in order", async () => {
    await using two = await openTwo();
    const { a, b } = two;
    await using left = await a.log.openGroup(OPTIONS);
    await using right = await b.log.openGroup(OPTIONS);
    const numbers = Array.from({ length: 40 }, (_, n) => String(n));
    for (const n of numbers) await a.publish(n, "k");
    const got: string[] = [];
    const done = new AbortController();
    const work = async (group: Group): Promise<void> => {
      while (!done.signal.aborted)
        for (const { payload, sequence } of await group.take(9, done.signal).catch(() => [])) {
          if (got.push(Buffer.from(payload).toString()) === numbers.length) done.abort();
          await group.ack(sequence);
        }
    };
    await Promise.all([work(left), work(right)]);
    assert.deepEqual(got, numbers);
  });

  test("what is acknowledged while the node that keeps it is away is done with when it is back", async () => {
    await using two = await openTwoAndGroup();
    const { a, b, group } = two;
    await a.publish("one");
    const { sequence } = await takeOne(group);
    assert.ok(sequence >= TOKEN_MIN);
    cut(a, b);
    await until("it is known there", () => a.own.stats().groups[0]?.inFlight === 0);
    await group.ack(sequence);
    await b.publish("two");
    assert.deepEqual(await handle(group, 1), ["two"]);
    await join(a, b);
    await until("nothing waits", () => a.waiting() === 0);
    await holdsNothing(group);
  });

  test("what was given to another meanwhile is that one's, and a late answer changes nothing", async () => {
    await using two = await openTwoAndGroup();
    const { a, b, group } = two;
    await a.publish("one");
    const { sequence } = await takeOne(group);
    cut(a, b);
    await using near = await a.log.openGroup(OPTIONS);
    const again = await takeOne(near);
    assert.equal(again.attempt, 2);
    await join(a, b);
    await group.ack(sequence);
    await b.publish("two");
    assert.deepEqual(await handle(group, 1), ["two"]);
    assert.equal(a.waiting(), 1);
    await near.ack(again.sequence);
    assert.equal(a.waiting(), 0);
  });

  test("a subscriber that comes back keeps what it has in hand, also of other nodes", async () => {
    await using two = await openTwo();
    const { a, b } = two;
    const before = await b.log.openGroup(OPTIONS);
    await a.publish("one");
    const { sequence } = await takeOne(before);
    await before[Symbol.asyncDispose]();
    await until("its link broke", () => a.own.stats().groups[0]?.inFlight === 0);
    await using group = await b.log.openGroup(OPTIONS);
    assert.deepEqual(await group.claim([sequence, 7, TOKEN_MIN]), [sequence]);
    await group.ack(sequence);
    await until("nothing waits", () => a.waiting() === 0);
  });

  test("who leaves in order gives back what it has not begun, without an attempt", async () => {
    await using two = await openTwo();
    const { a, b } = two;
    const before = await b.log.openGroup(OPTIONS);
    await a.publish("one");
    await takeOne(before);
    await before.release();
    await before[Symbol.asyncDispose]();
    await using group = await b.log.openGroup(OPTIONS);
    assert.equal((await takeOne(group)).attempt, 1);
  });

  test("all nodes keep for a group that was opened on one, also while nobody reads and also one that is linked later", async () => {
    await using a = openPlace("a");
    await using b = openPlace("b");
    const reader = await b.log.openGroup(OPTIONS);
    await reader[Symbol.asyncDispose]();
    await join(a, b);
    await until("it is known", () => {
      void a.publish("early");
      return a.waiting() > 0;
    });
    await using group = await b.log.openGroup({ ...OPTIONS, inFlightMax: 9 });
    assert.ok((await takeTexts(group)).every(([text]) => text === "early"));
  });

  test("a dead letter of another node reaches who listens for it, and a nack is given again there", async () => {
    await using two = await openTwoAndGroup();
    const { a, b, group } = two;
    await using dead = await b.log.openGroup({ ...OPTIONS, name: "dead", pattern: "a.*.dead" });
    await a.publish("one");
    const first = await takeOne(group);
    await group.nack(first.sequence, { delayMs: 0 });
    const again = await takeOne(group);
    assert.equal(again.attempt, 2);
    await group.reject(again.sequence, "no good");
    const { headers } = await takeOne(dead);
    assert.equal(headers["dead-reason"], "no good");
  });
});
