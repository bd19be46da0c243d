// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { startSmallEngine } from "#engine/testing/small-engine.ts";
import { createConnection } from "./connection.ts";
import { createTold, formatSince, parseEvent, watchEvents } from "./events.ts";

function write(timeNs: bigint, action: string): string {
  const document = { Type: "container", Action: action, Actor: { ID: "c1", Attributes: {} } };
  return JSON.stringify(document).replace(/\}$/, `,"time":1,"timeNano":${timeNs}}`);
}

test("the time keeps every nanosecond, with only the fields of API 1.52", () => {
  assert.equal(
    parseEvent(write(1_700_000_000_123_456_789n, "die"))?.timeNs,
    1_700_000_000_123_456_789n,
  );
});

test("what is not an event is left out", () => {
  for (const line of ["", "{", "{}", '{"Type":"container"}'])
    assert.equal(parseEvent(line), undefined);
});

test("since is the time again, digit by digit", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 19n }), (timeNs) => {
      const [seconds = "", nanos = ""] = formatSince(timeNs).split(".");
      assert.equal(nanos.length, 9);
      assert.equal(BigInt(seconds) * 1_000_000_000n + BigInt(nanos), timeNs);
    }),
  );
});

test("an event repeated by a resumed stream is told once, one a nanosecond later again", () => {
  const order = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 });
  fc.assert(
    fc.property(order, (times) => {
      const told = createTold(undefined);
      const events = times.flatMap((time) => parseEvent(write(BigInt(time), "die")) ?? []);
      const passed = events.filter((event) => told.isNew(event)).map(({ timeNs }) => timeNs);
      assert.deepEqual(passed, [...new Set(times.map(BigInt))]);
    }),
  );
});

test("two events of one nanosecond that differ in an attribute are two", () => {
  const told = createTold(undefined);
  const event = { type: "container", action: "exec_die", id: "c1", timeNs: 5n };
  assert.ok(told.isNew({ ...event, attributes: { execID: "a" } }));
  assert.ok(told.isNew({ ...event, attributes: { execID: "b" } }));
  assert.ok(!told.isNew({ ...event, attributes: { execID: "b" } }));
});

test("a stream that is given up before a word of it was read is closed", async () => {
  await using engine = await startSmallEngine();
  const { socketPath, followers } = engine;
  const endpoint = { kind: "unix", socketPath, text: `unix://${socketPath}` } as const;
  const connection = createConnection(endpoint, { readOnly: true });
  using _closed = { [Symbol.dispose]: () => connection.close() };
  const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };
  let most = 0;
  engine.onQuestion = (path, response) => {
    most = Math.max(most, followers.size);
    // Of what it has told it does not say whether it still knows it.
    if (path.includes("until")) response.writeHead(500).end("{}");
  };
  const ending = new AbortController();
  using _ended = { [Symbol.dispose]: () => ending.abort() };
  const { signal } = ending;
  const watch = watchEvents({ connection, clock, random: Math.random, sinceNs: 1n, signal });
  assert.equal((await watch.next()).value?.kind, "connected");
  for (const follower of followers) follower.destroy();
  for (let times = 0; times < 12; times++)
    assert.equal((await watch.next()).value?.kind, "disconnected");
  // The end of one is heard a moment after the next has begun.
  assert.ok(most < 6, `${most} at once`);
});
