// SPDX-License-Identifier: Apache-2.0
// What holds of messages that are kept in every fabric: in memory, between peers and relayed, both over gRPC.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Agent } from "./agent.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";
import type { Message } from "./messages.ts";

const isCode = (code: string, reason?: string) => (error: unknown) =>
  error instanceof FabricError &&
  error.code === code &&
  (reason === undefined || error.reason === reason);

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Collects numbers; `done` resolves when as many have come. */
function collect(count: number) {
  const seen: number[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const note = ({ data }: Message<number>): void => {
    seen.push(data);
    if (seen.length === count) resolve();
  };
  return { seen, done, note };
}

/** Waits until the agent has joined again. */
async function awaitJoined(agent: Agent, act: () => void): Promise<void> {
  let lost = false;
  let acted = false;
  for await (const { state } of agent.status()) {
    if (state === "reconnecting") lost = true;
    if (state === "joined" && lost) return;
    if (!acted) act();
    acted = true;
  }
}

/** Makes a group by opening and draining it. */
async function makeGroup(agent: Agent, pattern: string, group: string): Promise<void> {
  await (await agent.on(pattern, () => undefined, { group })).drain();
}

/** Declares the tests; each opens a fabric of its own. */
export function testMessages(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`messages that are kept ${name}`, () => {
    test("a message waits for its group, says who sent it, and is handled once", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      const billing = await fabric.join({ name: "billing" });
      await makeGroup(billing, "orders.*", "billing");
      const headers = { "x-from": "nobody", $from: "mallory" };
      for (const number of range(50)) await shop.publish("orders.created", number, { headers });
      const { seen, done, note } = collect(50);
      const froms = new Set<string>();
      const consuming = await billing.on<number>(
        "orders.*",
        (message) => {
          froms.add(`${message.from.scope}/${message.from.name} ${message.headers["x-from"]}`);
          note(message);
        },
        { group: "billing" },
      );
      await done;
      await consuming.drain();
      assert.deepEqual(seen, range(50));
      assert.deepEqual([...froms], ["default/shop nobody"]);
      assert.deepEqual(await consuming.closed, { reason: "drained" });
    });

    test("members of a group share, patterns of one group are apart, who has no group gets all", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      const all = collect(20);
      const shared = collect(20);
      const others = collect(1);
      const by = new Map<string, number>();
      await shop.on<number>("a.*", all.note);
      for (const member of ["one", "two"]) {
        const agent = await fabric.join({ name: member });
        const release = Promise.withResolvers<void>();
        void shared.done.then(release.resolve);
        await agent.on<number>(
          "a.*",
          async (message) => {
            by.set(member, (by.get(member) ?? 0) + 1);
            shared.note(message);
            // Only who has a hand free is given another.
            if (by.get(member) === 10) await release.promise;
          },
          { group: "g" },
        );
      }
      const third = await fabric.join({ name: "three" });
      await third.on<number>("b.*", others.note, { group: "g" });
      for (const number of range(20)) await shop.publish("a.x", number);
      await shop.publish("b.x", 7);
      await Promise.all([all.done, shared.done, others.done]);
      assert.deepEqual(all.seen, range(20));
      assert.deepEqual([...by.values()], [10, 10]);
      assert.deepEqual(others.seen, [7]);
    });

    test("the same word is kept once", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      const once = await shop.publish("dup.a", 1, { dedupe: "o1" });
      const twice = await shop.publish("dup.a", 1, { dedupe: "o1" });
      assert.deepEqual([once.duplicate, twice.duplicate], [false, true]);
      assert.equal(once.sequence, twice.sequence);
    });

    test("a handler that throws is asked again; reject, too many attempts and what does not fit end as dead letters", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "worker" });
      const letters = new Map<unknown, Message>();
      const { promise: both, resolve } = Promise.withResolvers<void>();
      await agent.on("jobs.*.dead", (message) => {
        letters.set(message.data, message);
        if (letters.size === 2) resolve();
      });
      const attempts: number[] = [];
      const errors: string[] = [];
      await agent.on<string>(
        "jobs.*",
        (message) => {
          if (message.data === "bad") return message.reject("bad order");
          attempts.push(message.attempt);
          throw new Error("not today");
        },
        { group: "work", attempts: 3, onError: (error) => errors.push(error.message) },
      );
      await agent.publish("jobs.a", "bad", { headers: { trace: "7" } });
      await agent.publish("jobs.a", "fine");
      await both;
      assert.deepEqual(attempts, [1, 2, 3]);
      assert.deepEqual(errors, ["not today", "not today", "not today"]);
      const [bad, spent] = [letters.get("bad"), letters.get("fine")];
      assert.equal(bad?.subject, "jobs.a.dead");
      assert.equal(bad.headers["dead-reason"], "bad order");
      assert.equal(bad.headers["trace"], "7");
      assert.equal(bad.from.name, "worker");
      assert.equal(spent?.headers["dead-attempts"], "3");
    });

    test("messages of one key are handled one after the other, those of others at once", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      const handled = new Map<string, number[]>();
      const running = new Map<string, number>();
      let most = 0;
      let left = 60;
      const { promise: done, resolve } = Promise.withResolvers<void>();
      await shop.on<{ key: string; number: number }>(
        "k.*",
        async ({ data: { key, number } }) => {
          running.set(key, (running.get(key) ?? 0) + 1);
          assert.equal(running.get(key), 1, `two of ${key} at once`);
          most = Math.max(most, [...running.values()].filter((count) => count > 0).length);
          await new Promise((next) => setImmediate(next));
          handled.set(key, [...(handled.get(key) ?? []), number]);
          running.set(key, 0);
          if (--left === 0) resolve();
        },
        { concurrency: 8 },
      );
      const keys = ["x", "y", "z"];
      await Promise.all(
        range(20).flatMap((number) =>
          keys.map((key) => shop.publish("k.a", { key, number }, { key })),
        ),
      );
      await done;
      for (const key of keys) assert.deepEqual(handled.get(key), range(20));
      assert.ok(most > 1, "keys wait for each other");
    });

    test("a backlog costs no attempts: a message's time begins with its handler", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      await makeGroup(shop, "slow.*", "slow");
      await Promise.all(range(60).map((number) => shop.publish("slow.a", number)));
      const { seen, done, note } = collect(60);
      const attempts = new Set<number>();
      let running = 0;
      await shop.on<number>(
        "slow.a",
        async (message) => {
          assert.equal(++running, 1, "one at a time without a concurrency");
          attempts.add(message.attempt);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running--;
          note(message);
        },
        { group: "other", from: "start", ackTimeout: "1s", attempts: 1 },
      );
      await done;
      assert.deepEqual(seen, range(60));
      assert.deepEqual([...attempts], [1]);
    });

    test("coming and going spends no attempts and loses nothing", async () => {
      await using fabric = await open();
      const shop = await fabric.join({ name: "shop" });
      await makeGroup(shop, "roll.>", "roll");
      await Promise.all(range(40).map((number) => shop.publish("roll.a", number)));
      const seen: number[] = [];
      while (seen.length < 40) {
        const some = Promise.withResolvers<void>();
        const agent = await fabric.join({ name: "rolling" });
        const consuming = await agent.on<number>(
          "roll.>",
          ({ data, attempt, subject }) => {
            assert.deepEqual([attempt, subject], [1, "roll.a"]);
            seen.push(data);
            some.resolve();
          },
          { group: "roll", attempts: 2, concurrency: 3 },
        );
        await some.promise;
        await consuming.drain();
        await agent[Symbol.asyncDispose]();
      }
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        range(40),
      );
    });

    test("draining lets a handler finish, and what it did is acknowledged", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "worker" });
      await makeGroup(agent, "work.*", "work");
      await agent.publish("work.a", 1);
      const begun = Promise.withResolvers<AbortSignal>();
      const release = Promise.withResolvers<void>();
      const first = await fabric.join({ name: "first" });
      await first.on(
        "work.*",
        async ({ signal }) => {
          begun.resolve(signal);
          await release.promise;
          signal.throwIfAborted();
        },
        { group: "work" },
      );
      const signal = await begun.promise;
      const drained = first.drain("20s");
      await agent.publish("work.a", 2);
      release.resolve();
      await drained;
      assert.equal(signal.aborted, false);
      const { seen, done, note } = collect(1);
      await agent.on<number>("work.*", note, { group: "work" });
      await done;
      assert.deepEqual(seen, [2]);
    });

    test("leaving at once tells the handlers, and another is given the message", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "worker" });
      const first = await fabric.join({ name: "first" });
      const begun = Promise.withResolvers<void>();
      await first.on(
        "work.*",
        async ({ signal }) => {
          begun.resolve();
          await new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason)),
          );
        },
        { group: "work" },
      );
      await agent.publish("work.a", 1);
      await begun.promise;
      const { seen, done, note } = collect(1);
      await agent.on<number>("work.*", note, { group: "work" });
      await first[Symbol.asyncDispose]();
      await done;
      assert.deepEqual(seen, [1]);
    });

    test("a handler that hangs is told when its time is over, and the message comes again", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "worker" });
      const told: string[] = [];
      const again = Promise.withResolvers<number>();
      await agent.on(
        "hang.*",
        async ({ attempt, signal }) => {
          if (attempt > 1) return again.resolve(attempt);
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => {
              told.push(FabricError.from(signal.reason).code);
              resolve();
            }),
          );
        },
        { ackTimeout: 200 },
      );
      await agent.publish("hang.a", 1);
      assert.equal(await again.promise, 2);
      assert.equal(told.length, 1);
    });

    test("after a break what is in hand is kept and its answer counts; order and words hold", async () => {
      await using fabric = await open();
      const sink = await fabric.join({ name: "sink" });
      const begun = Promise.withResolvers<AbortSignal>();
      const release = Promise.withResolvers<void>();
      const seen: number[] = [];
      const { promise: done, resolve } = Promise.withResolvers<void>();
      await sink.on<number>(
        "brk.*",
        async ({ data, signal, attempt }) => {
          assert.equal(attempt, 1);
          seen.push(data);
          if (data === 0) {
            begun.resolve(signal);
            await release.promise;
          }
          if (seen.length === 60) resolve();
        },
        { group: "sinks" },
      );
      const source = await fabric.join({ name: "source" });
      const publish = (number: number): Promise<unknown> =>
        source.publish("brk.a", number, { key: "k" });
      await publish(0);
      const signal = await begun.promise;
      const publishing = range(30).slice(1).map(publish);
      // What is published while the link is away comes after what was not confirmed.
      const joined = awaitJoined(source, () => {
        fabric.cut();
        for (const number of range(60).slice(30)) publishing.push(publish(number));
      });
      await joined;
      await Promise.all(publishing);
      assert.equal(signal.aborted, false);
      release.resolve();
      await done;
      assert.deepEqual(seen, range(60));
    });

    test("what nobody can keep is refused at once, and the link lives on", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "agent" });
      const states: string[] = [];
      void (async () => {
        for await (const { state } of agent.status()) states.push(state);
      })();
      const large = Buffer.alloc(17 * 1024 * 1024);
      await assert.rejects(agent.publish("a.b", large), isCode("invalid_argument", "too-large"));
      const headers = { big: "x".repeat(9_000) };
      const tooMany = Object.fromEntries(range(70).map((number) => [`h${number}`, "x"]));
      for (const bad of [headers, tooMany])
        await assert.rejects(
          agent.publish("a.b", 1, { headers: bad }),
          isCode("invalid_argument", "headers-too-large"),
        );
      for (const bad of [{ key: "k".repeat(256) }, { dedupe: "d".repeat(256) }])
        await assert.rejects(agent.publish("a.b", 1, bad), isCode("invalid_argument"));
      for (const bad of ["", "a.*", "a..b"])
        await assert.rejects(agent.publish(bad, 1), isCode("invalid_argument"));
      const most = Buffer.alloc(16 * 1024 * 1024);
      const five = range(5).map(async () => agent.publish("a.b", most).then(() => "kept", String));
      assert.match((await Promise.all(five)).at(-1) ?? "", /4 messages of \d+ bytes/);
      assert.ok((await agent.publish("a.b", 1)).sequence > 0);
      assert.deepEqual(states, ["joined"]);
    });

    test("a subscription that the node refuses is refused, and is not tried again", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "agent" });
      await assert.rejects(
        agent.on("a.*", () => undefined, { attempts: 0 }),
        isCode("invalid_argument"),
      );
      await agent.drain("20s");
    });
  });
}
