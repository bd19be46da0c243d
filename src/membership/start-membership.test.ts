// SPDX-License-Identifier: Apache-2.0
// Real datagrams on loopback.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isKind } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { membershipErrors } from "./errors.ts";
import type { Membership, Peer } from "./membership.ts";
import { startMembership } from "./start-membership.ts";

const SECRET = Buffer.alloc(32, 7);
const parts = { clock: createSystemClock(), random: Math.random, logger: silentLogger };

const start = (id: string, incarnation = 1, secret = SECRET): Promise<Membership> =>
  startMembership({ id, incarnation, address: "127.0.0.1", port: 0, secret }, parts);

const peer = (id: string, { port }: Membership, incarnation = 1): Peer => ({
  id,
  incarnation,
  address: "127.0.0.1",
  port,
});

/** Resolves when a member is seen in that state. */
function awaitState(membership: Membership, id: string, state: string): Promise<void> {
  return new Promise((resolve) => {
    const isSo = (): boolean =>
      membership.list().some((member) => member.id === id && member.state === state);
    if (isSo()) return resolve();
    const stop = membership.onChange(() => {
      if (!isSo()) return;
      stop();
      resolve();
    });
  });
}

/** Resolves when the round trip to a member was measured, which only its answer can do. */
async function awaitAnswer(membership: Membership, id: string): Promise<void> {
  const isMeasured = (): boolean =>
    membership.list().some((member) => member.id === id && member.rttMs !== undefined);
  while (!isMeasured()) await sleep(5);
}

test("a packet of a size is answered by who has the key, and by nobody else", async () => {
  await using a = await start("a");
  await using b = await start("b");
  await using stranger = await start("stranger", 1, Buffer.alloc(32, 8));
  a.setPeers([peer("b", b), peer("stranger", stranger)]);
  for (const sizeBytes of [28, 1_280, 1_500, 9_216])
    assert.equal(await a.probe("b", sizeBytes), true, `${sizeBytes} bytes`);
  assert.equal(await a.probe("stranger", 1_280), false);
  assert.equal(await a.probe("nobody", 1_280), false);
  // Larger datagrams than those of membership are taken for questions of this kind alone.
  assert.equal(b.readCounters()["malformed"], 0);
});

test("a life that speaks anew, as with another key, goes on counting and is heard at once", async () => {
  await using a = await start("a");
  const b = { id: "b", incarnation: 1, address: "127.0.0.1", secret: SECRET };
  const first = await startMembership({ ...b, port: 0, firstSequence: 10_000 }, parts);
  const known = peer("b", first);
  for (const one of [a, first]) one.setPeers([peer("a", a), known]);
  await awaitAnswer(a, "b");
  first.setPeers([]);
  await first[Symbol.asyncDispose]();
  const firstSequence = first.readCounters()["sent"] ?? 0;
  assert.ok(firstSequence > 10_000, `${firstSequence}`);
  await awaitState(a, "b", "suspect");
  await using again = await startMembership({ ...b, port: known.port, firstSequence }, parts);
  const next = new Promise((resolve) => a.onChange(({ member }) => resolve(member.state)));
  again.setPeers([peer("a", a)]);
  assert.equal(await next, "alive");
});

test("members hear each other; who leaves has left at once, who dies is suspected, then gone, and may come back", async () => {
  await using a = await start("a");
  const b = await start("b");
  const c = await start("c");
  const peers = [peer("a", a), peer("b", b), peer("c", c)];
  for (const one of [a, b, c]) one.setPeers(peers);
  await Promise.all([awaitAnswer(a, "b"), awaitAnswer(a, "c"), awaitAnswer(b, "c")]);
  assert.deepEqual(
    a.list().map(({ id, state, direct }) => [id, state, direct]),
    [
      ["b", "alive", true],
      ["c", "alive", true],
    ],
  );

  const left = awaitState(a, "c", "left");
  await c[Symbol.asyncDispose]();
  await left;

  // What does not know its peers any more answers nobody: as good as dead.
  b.setPeers([]);
  await awaitState(a, "b", "suspect");
  assert.equal(a.isolated, true);
  await awaitState(a, "b", "gone");
  b.setPeers(peers);
  await awaitState(a, "b", "alive");
  await b[Symbol.asyncDispose]();
});

test("another key, another life and noise are counted and believed by nobody", async () => {
  await using a = await start("a", 5);
  await using stranger = await start("b", 1, Buffer.alloc(32, 8));
  a.setPeers([peer("b", stranger)]);
  stranger.setPeers([peer("a", a, 5)]);
  const noise = createSocket("udp4");
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(1_500, 1), Buffer.from("FLM\x01")])
    noise.send(bytes, a.port, "127.0.0.1");
  await awaitState(a, "b", "gone");
  noise.close();
  const { unauthenticated = 0, accepted, malformed } = a.readCounters();
  assert.ok(unauthenticated > 3, `${unauthenticated}`);
  assert.equal(accepted, 0);
  assert.equal(malformed, 3);
});

test("a port that is taken is told with who asks for it", async () => {
  await using a = await start("a");
  const options = { id: "b", incarnation: 1, address: "127.0.0.1", port: a.port, secret: SECRET };
  await assert.rejects(startMembership(options, parts), (thrown) =>
    isKind(thrown, membershipErrors["membership-listen"]),
  );
});
