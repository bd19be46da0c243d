// SPDX-License-Identifier: Apache-2.0
// Messages that a real node keeps: acknowledged ones survive whoever is killed, in order for each key.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join, type Agent, type Message } from "@fairlead/sdk";
import { openRig, type Rig } from "#lab/rig.ts";

let rig: Rig;
const agents: Agent[] = [];

before(async () => {
  rig = await openRig();
  await rig.startNode();
});
after(async () => {
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function enter(name: string): Promise<Agent> {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  const agent = await join({ name, scope: "msg", node });
  agents.push(agent);
  return agent;
}

/** Resolves once `count` different numbers were seen. */
function collect(count: number) {
  const seen: number[] = [];
  const done = Promise.withResolvers<void>();
  return {
    seen,
    done: done.promise,
    note({ data }: Message<number>) {
      seen.push(data);
      if (new Set(seen).size === count) done.resolve();
    },
  };
}

test("a message is kept for a group that is away, and handled once", async () => {
  const shop = await enter("shop");
  const first = await enter("billing");
  const none = await first.on("orders.*", () => undefined, { group: "billing" });
  await none.drain();
  for (let number = 0; number < 50; number++) await shop.publish("orders.created", number);
  const { stdout } = await rig.cli(["queues", "--scope", "msg"]);
  assert.match(stdout, /orders\.created +msg +billing +50 +0 .*, goes in 6d/);
  const { seen, done, note } = collect(50);
  const consumer = await first.on<number>("orders.*", note, { group: "billing" });
  await done;
  await consumer.drain();
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.match((await rig.cli(["queues", "--scope", "msg"])).stderr, /no message waits/);
});

test("the same word is kept once", async () => {
  const shop = await enter("shop-b");
  const once = await shop.publish("dup.a", 1, { dedupe: "o1" });
  const twice = await shop.publish("dup.a", 1, { dedupe: "o1" });
  assert.deepEqual([once.duplicate, twice.duplicate], [false, true]);
  assert.equal(once.sequence, twice.sequence);
});

test("a handler that throws is asked again and sees the attempt; reject and too many attempts go to the dead letters", async () => {
  const agent = await enter("worker");
  const attempts: number[] = [];
  const dead = Promise.withResolvers<Message>();
  const both = Promise.withResolvers<void>();
  let letters = 0;
  const grave = await agent.on("jobs.*.dead", (message) => {
    dead.resolve(message);
    if (++letters === 2) both.resolve();
  });
  const work = await agent.on<string>(
    "jobs.*",
    (message) => {
      if (message.data === "bad") return message.reject("bad order");
      attempts.push(message.attempt);
      throw new Error("not today");
    },
    { group: "work", attempts: 3 },
  );
  await agent.publish("jobs.a", "bad");
  const letter = await dead.promise;
  assert.equal(letter.subject, "jobs.a.dead");
  assert.equal(letter.headers["dead-reason"], "bad order");
  await agent.publish("jobs.b", "fine");
  await both.promise;
  assert.deepEqual(attempts, [1, 2, 3]);
  await Promise.all([grave.drain(), work.drain()]);
});

test("killing the node again and again loses nothing that it confirmed, and keeps the order of a key", async (t) => {
  const publisher = await enter("source");
  const receiver = await enter("sink");
  const confirmed = new Set<string>();
  const marks = new Map<number, () => void>();
  const reached = (size: number): Promise<void> =>
    confirmed.size >= size ? Promise.resolve() : new Promise((resolve) => marks.set(size, resolve));
  const got = new Map<string, number[]>();
  const total = 300;
  const done = Promise.withResolvers<void>();
  let unique = 0;
  const seen = new Set<string>();
  let again = 0;
  await receiver.on<{ key: string; n: number }>(
    "kill.*",
    ({ data, attempt }) => {
      const word = `${data.key}${data.n}`;
      if (attempt > 1) again++;
      if (seen.has(word)) return;
      seen.add(word);
      got.set(data.key, [...(got.get(data.key) ?? []), data.n]);
      if (++unique === total) done.resolve();
    },
    { group: "sinks", concurrency: 8, ackTimeout: "2s" },
  );
  const publish = async (key: string): Promise<void> => {
    for (let n = 0; n < total / 3; n++) {
      await publisher.publish("kill.a", { key, n }, { key, timeout: "60s" });
      confirmed.add(`${key}${n}`);
      marks.get(confirmed.size)?.();
    }
  };
  const publishing = Promise.all(["x", "y", "z"].map(publish));
  for (let kill = 0; kill < 3; kill++) {
    const until = (kill + 1) * 60;
    await reached(until);
    await rig.endNode("SIGKILL");
    await rig.startNode();
  }
  await publishing;
  await done.promise;
  assert.equal(confirmed.size, total);
  for (const numbers of got.values())
    assert.deepEqual(
      numbers,
      Array.from({ length: total / 3 }, (_, index) => index),
    );
  t.diagnostic(`${again} messages were given out again`);
});

test("people publish and read what is kept from the command line", async () => {
  const agent = await enter("keeper");
  const none = await agent.on("cli.*", () => undefined, { group: "people" });
  await none.drain();
  const sent = await rig.cli(["send", "cli.a", '{"id":7}', "--keep", "--scope", "msg"]);
  assert.match(sent.stdout, /^kept as \d+\n$/, sent.stderr);
  const args = ["sub", "cli.*", "--keep", "--group", "people", "--count", "1", "--scope", "msg"];
  const read = await rig.cli(args);
  assert.match(read.stdout, /^cli\.a  cli-\d+  \{"id":7\}\n$/, read.stderr);
});
