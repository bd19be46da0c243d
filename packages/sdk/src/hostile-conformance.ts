// SPDX-License-Identifier: Apache-2.0
// What a fabric bears: slow readers, payloads that are too large, very many subjects, patterns that are none.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Status } from "@fairlead/fabric/frame.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import { SUBSCRIPTIONS_MAX } from "@fairlead/protocol/names.ts";
import type { Agent } from "./agent.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";
import { joinAs, linkAs, RECORD } from "./linked-by-hand.ts";

const MIB = 1024 * 1024;
const SUBJECTS = 10_000;

const isCode = (code: string) => (error: unknown) =>
  error instanceof FabricError && error.code === code;

/** Waits until messages of the subject reach so many. */
async function awaitReach(agent: Agent, subject: string, count: number): Promise<void> {
  for await (const _ of agent.watch()) if ((await agent.reach(subject)) === count) return;
}

/** Waits until an agent's record says that it hears so many patterns. */
async function awaitHeard(agent: Agent, name: string, count: number): Promise<void> {
  for await (const change of agent.watch({ name }))
    if (change.type !== "gone" && change.agent.subscriptions.length === count) return;
}

/** Declares the tests; each opens a fabric of its own. */
export function testHostile(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`a fabric under strain: ${name}`, () => {
    test("a reader that is stuck stops its own senders only, after a bounded amount", async () => {
      await using fabric = await open();
      const sender = await fabric.join({ name: "sender" });
      const slow = await fabric.join({ name: "slow" });
      const quick = await fabric.join({ name: "quick" });
      const release = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      let slowCount = 0;
      slow.hear("to.slow", async () => {
        slowCount++;
        begun.resolve();
        await release.promise;
      });
      const count = 5_000;
      const all = Promise.withResolvers<void>();
      let quickCount = 0;
      quick.hear("to.quick", () => {
        if (++quickCount === count) all.resolve();
      });
      await awaitReach(sender, "to.slow", 1);
      await awaitReach(sender, "to.quick", 1);
      const payload = Buffer.alloc(10_000);
      await sender.emit("to.slow", payload);
      let sentBytes = 0;
      let stuck: Promise<void> | undefined;
      while (stuck === undefined && sentBytes < 64 * MIB) {
        stuck = sender.emit("to.slow", payload);
        sentBytes += payload.length;
      }
      assert.ok(stuck !== undefined, `${sentBytes} bytes went to a reader that takes nothing`);
      for (let number = 0; number < count; number++) await sender.emit("to.quick", number);
      await all.promise;
      await begun.promise;
      assert.equal(slowCount, 1);
      release.resolve();
      await stuck;
    });

    test("who does not wait for what it emits is told so before it fills the memory", async () => {
      await using fabric = await open();
      const sender = await fabric.join({ name: "sender" });
      const reader = await fabric.join({ name: "reader" });
      const release = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const done = Promise.withResolvers<void>();
      let [heard, taken] = [0, 0];
      reader.hear("flood", async () => {
        begun.resolve();
        await release.promise;
        if (++heard === taken) done.resolve();
      });
      await awaitReach(sender, "flood", 1);
      const waiting: Promise<void>[] = [];
      const emitAll = (): void => {
        for (let number = 0; number < 200_000; number++) {
          const wait = sender.emit("flood", Buffer.alloc(128));
          if (wait !== undefined) waiting.push(wait);
          taken++;
        }
      };
      // Before it is known who hears it, and after.
      assert.throws(emitAll, { code: "resource_exhausted", reason: "not-awaited" });
      await begun.promise;
      assert.throws(emitAll, { code: "resource_exhausted", reason: "not-awaited" });
      assert.ok(taken < 50_000, `${taken} messages were taken`);
      release.resolve();
      await Promise.all(waiting);
      await done.promise;
      assert.equal(heard, taken);
    });

    test("a sender that ignores credit is cut off, and what it sent is bounded", async () => {
      await using fabric = await open();
      const reader = await fabric.join({ name: "reader" });
      const release = Promise.withResolvers<void>();
      reader.hear("stuck", () => release.promise);
      const payload = Buffer.from(JSON.stringify("x".repeat(100_000)));
      const cut = Promise.withResolvers<FabricError>();
      const flood = (conversation: Conversation, link: Link): void => {
        conversation.handlers = { ...conversation.handlers, onCancel: cut.resolve };
        for (let sentBytes = 0; sentBytes < 8 * MIB; sentBytes += payload.length)
          link.addItem(conversation.id, payload);
      };
      const link = await linkAs(fabric, { id: "rude.1", name: "rude" }, { accept: flood });
      await joinAs(link, RECORD);
      await awaitReach(reader, "stuck", 1);
      const emit = { ...nodeOpen("$emit", true), target: "reader" };
      const rude = link.open(emit, { headers: { subject: "stuck" } });
      const ended = Promise.withResolvers<Status>();
      rude.handlers = {
        onItem: () => undefined,
        onEnd: ended.resolve,
        onCancel: () => undefined,
        onRoom: () => undefined,
      };
      flood(rude, link);
      assert.equal((await ended.promise).reason, "credit");
      let readBytes = 0;
      const items = reader.stream("rude", "any/thing", {});
      await items.next();
      // The reader takes nothing more until the sender has been cut off.
      await cut.promise;
      await assert.rejects(
        async () => {
          for await (const item of items) readBytes += String(item).length;
        },
        { reason: "credit" },
      );
      assert.ok(readBytes <= 3 * MIB, `${readBytes} bytes were kept for a reader`);
      release.resolve();
      link.close();
    });

    test("a payload of 64 MiB is refused with the limit, and the next one goes through", async () => {
      await using fabric = await open();
      const sender = await fabric.join({ name: "sender" });
      const reader = await fabric.join({ name: "reader" });
      const heard = Promise.withResolvers<number>();
      reader.hear("big", ({ bytes }) => heard.resolve(bytes.length));
      await awaitReach(sender, "big", 1);
      const large = Buffer.alloc(64 * MIB);
      const says = (error: unknown): boolean =>
        isCode("invalid_argument")(error) && /above the peer's limit of \d+/.test(String(error));
      await assert.rejects(async () => sender.emit("big", large), says);
      await assert.rejects(sender.ping("reader", 64 * MIB), says);
      await sender.emit("big", Buffer.alloc(MIB));
      assert.equal(await heard.promise, MIB);
    });

    test("ten thousand subjects, each in order, with no more open than is needed", async () => {
      await using fabric = await open();
      const sender = await fabric.join({ name: "sender" });
      const some = await fabric.join({ name: "some" });
      const every = await fabric.join({ name: "every" });
      const last = new Map<string, number>();
      const done = Promise.withResolvers<void>();
      let [count, some_] = [0, 0];
      const isDone = (): void => {
        if (count === 2 * SUBJECTS && some_ === 2 * 500) done.resolve();
      };
      every.hear<number>("s.*.x", ({ subject, data }) => {
        assert.equal(data, (last.get(subject) ?? 0) + 1);
        last.set(subject, data);
        count++;
        isDone();
      });
      for (let number = 0; number < 500; number++)
        some.hear(`s.${number}.x`, () => {
          some_++;
          isDone();
        });
      await awaitHeard(sender, "some", 500);
      await awaitReach(sender, "s.1.x", 2);
      for (const round of [1, 2])
        for (let number = 0; number < SUBJECTS; number++) await sender.emit(`s.${number}.x`, round);
      await done.promise;
      assert.equal(last.size, SUBJECTS);
    });

    test("what is no subject or no pattern is refused where it is written, and so are too many", async () => {
      await using fabric = await open();
      const agent = await fabric.join({ name: "agent" });
      for (const bad of ["", "a..b", ">.a", "a b", "**", "x.".repeat(200)]) {
        assert.throws(() => agent.hear(bad, () => undefined), isCode("invalid_argument"), bad);
        assert.throws(() => void agent.on(bad, () => undefined), isCode("invalid_argument"), bad);
      }
      for (const bad of ["", "a.*", ">", "a..b"])
        await assert.rejects(async () => agent.emit(bad, 1), isCode("invalid_argument"), bad);
      const heard = Array.from({ length: SUBSCRIPTIONS_MAX }, (_, number) =>
        agent.hear(`s.${number}`, () => undefined),
      );
      assert.throws(() => agent.hear("one.more", () => undefined), isCode("resource_exhausted"));
      heard[0]?.close();
      agent.hear("one.more", () => undefined);
      const other = await fabric.join({ name: "other" });
      await awaitReach(other, "one.more", 1);
      assert.equal(await other.reach("s.0"), 0);
    });

    test("deep wildcards cost no more than plain patterns", async () => {
      await using fabric = await open();
      const hearer = await fabric.join({ name: "hearer" });
      const sender = await fabric.join({ name: "sender" });
      const words = 10;
      const done = Promise.withResolvers<void>();
      let count = 0;
      for (let number = 0; number < 900; number++) {
        const pattern = Array.from({ length: words }, (_, at) => ((number >> at) & 1 ? "*" : "a"));
        hearer.hear(pattern.join("."), () => {
          if (++count === 900) done.resolve();
        });
      }
      await awaitHeard(sender, "hearer", 900);
      await sender.emit(Array.from({ length: words }, () => "a").join("."), 1);
      await done.promise;
    });
  });
}
