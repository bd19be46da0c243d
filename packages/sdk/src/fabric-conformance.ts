// SPDX-License-Identifier: Apache-2.0
// What holds for every fabric: direct, relayed through the node, in memory. Each is run through the same rules.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { RouteBoard } from "@fairlead/fabric/route-board.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import { z } from "zod";
import type { AgentOptions } from "./agent-options.ts";
import type { Agent } from "./agent.ts";
import { contract, rpc, stream } from "./contract.ts";

export interface FabricUnderTest extends AsyncDisposable {
  join(options: AgentOptions): Promise<Agent>;
  /** Breaks every link to the node; it goes on, and agents may join again. */
  cut(): void;
  /** A bare way to the node, or to an agent at an address of its record. */
  dial(address?: string): Promise<Transport>;
  /** Where members of topologies may send. */
  readonly routes: RouteBoard;
}

const research = contract("research", "1.2.0", {
  summarize: rpc({
    in: z.object({ url: z.string() }),
    out: z.object({ text: z.string() }),
    idempotent: true,
  }),
  fail: rpc({ in: z.object({ code: z.string() }), out: z.object({}) }),
  hang: rpc({ in: z.object({}), out: z.object({}) }),
  count: stream({ in: z.object({ to: z.number() }), item: z.number() }),
});

interface Seen {
  aborted: string[];
  yielded: number;
}

async function serve(agent: Agent, seen: Seen = { aborted: [], yielded: 0 }) {
  return agent.serve(research, {
    async summarize({ url }, { caller }) {
      return { text: `${url} for ${caller.scope}/${caller.name} by ${agent.name}` };
    },
    async fail({ code }) {
      if (code === "plain") throw new Error("it broke");
      throw new FabricError("permission_denied", "not you", { reason: "no-link", facts: { code } });
    },
    hang: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          const error = signal.reason instanceof Error ? signal.reason : new Error("aborted");
          seen.aborted.push(FabricError.from(error).code);
          reject(error);
        });
      }),
    async *count({ to }, { signal }) {
      try {
        for (let number = 1; number <= to; number++) {
          seen.yielded++;
          yield number;
        }
      } finally {
        if (signal.aborted) seen.aborted.push("count");
      }
    },
  });
}

/** Waits for `holds`, asking again whenever the registry changes. */
async function until(agent: Agent, holds: () => Promise<boolean> | boolean): Promise<void> {
  if (await holds()) return;
  for await (const _ of agent.watch()) if (await holds()) return;
}

/** Runs every rule against fabrics that `open` makes. */
export function testFabric(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`a fabric ${name}`, () => {
    test("a call is answered, and the answer knows who asked", async () => {
      await using fabric = await open();
      const server = await fabric.join({ name: "researcher", kind: "agent" });
      await serve(server);
      const caller = await fabric.join({ name: "web" });
      await until(caller, async () => (await caller.find({ contract: "research" })).length === 1);
      const { text } = await caller.client(research).summarize({ url: "x" });
      assert.equal(text, "x for default/web by researcher");
    });

    test("an agent is found by name, kind, skill, contract and tag, and watched", async () => {
      await using fabric = await open();
      const watcher = await fabric.join({ name: "web" });
      const changes: string[] = [];
      const gone = Promise.withResolvers<void>();
      void (async () => {
        for await (const change of watcher.watch({ skill: "read" })) {
          changes.push(`${change.type} ${change.agent.name}`);
          if (change.type === "gone") gone.resolve();
        }
      })();
      const found = await fabric.join({
        name: "reader",
        kind: "agent",
        skills: ["read"],
        tags: { team: "docs" },
      });
      await until(watcher, async () => (await watcher.find({ skill: "read" })).length === 1);
      for (const filter of [
        { name: "reader" },
        { kind: "agent" as const },
        { tags: { team: "docs" } },
      ])
        assert.deepEqual(
          (await watcher.find(filter)).map((one) => one.id),
          [found.id],
        );
      assert.deepEqual(await watcher.find({ skill: "write" }), []);
      await found[Symbol.asyncDispose]();
      await gone.promise;
      assert.deepEqual(changes, ["up reader", "gone reader"]);
    });

    test("errors keep code, reason and facts; others become unknown", async () => {
      await using fabric = await open();
      await serve(await fabric.join({ name: "researcher" }));
      const client = (await fabric.join({ name: "web" })).client(research, { agent: "researcher" });
      const refused = await client.fail.try({ code: "7" });
      assert.ok(!refused.ok);
      assert.deepEqual(
        [refused.error.code, refused.error.reason, { ...refused.error.facts }],
        ["permission_denied", "no-link", { code: "7" }],
      );
      const broken = await client.fail.try({ code: "plain" });
      assert.ok(
        !broken.ok && broken.error.code === "unknown" && broken.error.message === "it broke",
      );
    });

    test("input that does not fit is refused with its path", async () => {
      await using fabric = await open();
      await serve(await fabric.join({ name: "researcher" }));
      const client = (await fabric.join({ name: "web" })).client(research, { agent: "researcher" });
      const wrong = JSON.parse('{"url":7}') as { url: string };
      const outcome = await client.summarize.try(wrong);
      assert.ok(!outcome.ok && outcome.error.code === "invalid_argument");
      assert.match(outcome.error.message, /the input of research\/summarize does not fit: url:/);
    });

    test("a deadline ends the call at both ends", async () => {
      await using fabric = await open();
      const seen: Seen = { aborted: [], yielded: 0 };
      await serve(await fabric.join({ name: "researcher" }), seen);
      const caller = await fabric.join({ name: "web" });
      const client = caller.client(research, { agent: "researcher" });
      await client.summarize({ url: "before" });
      const outcome = await client.hang.try({}, { timeout: 400 });
      assert.ok(!outcome.ok && outcome.error.code === "deadline_exceeded");
      await client.summarize({ url: "after" });
      assert.deepEqual(seen.aborted, ["deadline_exceeded"]);
    });

    test("leaving a stream cancels the other side, which has not run ahead", async () => {
      await using fabric = await open();
      const seen: Seen = { aborted: [], yielded: 0 };
      await serve(await fabric.join({ name: "researcher" }), seen);
      const client = (await fabric.join({ name: "web" })).client(research, { agent: "researcher" });
      const got: number[] = [];
      for await (const number of client.count({ to: 1e9 })) {
        got.push(number);
        if (got.length === 3) break;
      }
      assert.deepEqual(got, [1, 2, 3]);
      await client.summarize({ url: "after" });
      await client.summarize({ url: "after" });
      assert.deepEqual(seen.aborted, ["count"]);
      assert.ok(seen.yielded < 100_000, `${seen.yielded} items were made`);
    });

    test("a stream arrives whole and in order", async () => {
      await using fabric = await open();
      await serve(await fabric.join({ name: "researcher" }));
      const client = (await fabric.join({ name: "web" })).client(research, { agent: "researcher" });
      let sum = 0;
      let last = 0;
      for await (const number of client.count({ to: 20_000 })) {
        assert.equal(number, last + 1);
        last = number;
        sum += number;
      }
      assert.equal(sum, 200_010_000);
    });

    test("messages reach every subscriber, one member of each group, in order", async () => {
      await using fabric = await open();
      const publisher = await fabric.join({ name: "shop" });
      const got: Record<string, number[]> = { all: [], a: [], b: [] };
      const done = Promise.withResolvers<void>();
      let count = 0;
      const note = (who: string) => (message: { data: number }) => {
        got[who]?.push(message.data);
        if (++count === 2_000) done.resolve();
      };
      const all = await fabric.join({ name: "audit" });
      all.hear<number>("orders.>", note("all"));
      for (const who of ["a", "b"])
        (await fabric.join({ name: `bill-${who}` })).hear<number>("orders.*", note(who), {
          group: "billing",
        });
      await until(publisher, async () => (await publisher.reach("orders.created")) === 2);
      await until(
        publisher,
        async () =>
          (await publisher.find()).filter(({ subscriptions }) => subscriptions.length > 0)
            .length === 3,
      );
      for (let number = 0; number < 1_000; number++) await publisher.emit("orders.created", number);
      await done.promise;
      assert.deepEqual(
        got["all"],
        Array.from({ length: 1_000 }, (_, index) => index),
      );
      const grouped = [...(got["a"] ?? []), ...(got["b"] ?? [])];
      assert.equal(grouped.length, 1_000);
      assert.ok((got["a"]?.length ?? 0) > 300 && (got["b"]?.length ?? 0) > 300);
      assert.deepEqual(
        grouped.toSorted((x, y) => x - y),
        got["all"],
      );
    });

    test("a reader that holds its senders up is counted, and said to be", async () => {
      await using fabric = await open();
      const watcher = await fabric.join({ name: "shop" });
      const release = Promise.withResolvers<void>();
      (await fabric.join({ name: "slow" })).hear("bulk", () => release.promise);
      (await fabric.join({ name: "quick" })).hear("bulk", () => undefined);
      await until(watcher, async () => (await watcher.reach("bulk")) === 2);
      const payload = Buffer.alloc(65_536);
      const sending = Array.from({ length: 40 }, () => watcher.emit("bulk", payload));
      const backlogOf = async (one: string) => (await watcher.find({ name: one }))[0]?.backlog;
      await until(watcher, async () => ((await backlogOf("slow"))?.heldTimes ?? 0) > 0);
      assert.ok(((await backlogOf("slow"))?.waitingBytes ?? 0) > 900_000);
      release.resolve();
      for (const one of sending) await one;
      await until(watcher, async () => (await backlogOf("slow"))?.waitingBytes === 0);
      assert.ok(((await backlogOf("slow"))?.heldMs ?? 0) > 0);
    });

    test("two scopes do not see each other", async () => {
      await using fabric = await open();
      await serve(await fabric.join({ name: "researcher", scope: "shop" }));
      const stranger = await fabric.join({ name: "web", scope: "other" });
      assert.deepEqual(
        (await stranger.find()).map(({ name: one }) => one),
        ["web"],
      );
      const outcome = await stranger
        .client(research, { agent: "researcher" })
        .summarize.try({ url: "x" });
      assert.ok(!outcome.ok && outcome.error.code === "not_found" && outcome.error.retryable);
    });

    test("a call that nobody waits for any more never begins, and one too many is refused at once", async () => {
      await using fabric = await open();
      const begun: string[] = [];
      const first = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const work = contract("work", "1.0.0", { run: rpc({ in: z.string(), out: z.string() }) });
      const run = async (name: string): Promise<string> => {
        begun.push(name);
        if (name !== "first") return name;
        first.resolve();
        await release.promise;
        return name;
      };
      const server = await fabric.join({ name: "slow" });
      await server.serve(work, { run }, { concurrency: 1, waiting: 1 });
      const caller = await fabric.join({ name: "web" });
      const client = caller.client(work, { agent: "slow" });
      const running = client.run("first");
      await first.promise;
      const late = client.run.try("late", { timeout: 60 });
      const refused = await client.run.try("one too many");
      assert.ok(!refused.ok && refused.error.code === "resource_exhausted");
      assert.deepEqual([refused.error.reason, refused.error.retryable], ["overloaded", true]);
      const outcome = await late;
      assert.ok(!outcome.ok && outcome.error.code === "deadline_exceeded");
      const next = client.run("next");
      // What was said before it has arrived when it comes back.
      await caller.ping(server.id);
      release.resolve();
      assert.deepEqual(await Promise.all([running, next]), ["first", "next"]);
      assert.deepEqual(begun, ["first", "next"]);
    });

    test("draining finishes what runs and refuses what comes", async () => {
      await using fabric = await open();
      const server = await fabric.join({ name: "slow" });
      const begun = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const work = contract("work", "1.0.0", { run: rpc({ in: z.object({}), out: z.string() }) });
      await server.serve(work, {
        async run() {
          begun.resolve();
          await release.promise;
          return "done";
        },
      });
      const caller = await fabric.join({ name: "web" });
      await until(caller, async () => (await caller.find({ contract: "work" })).length === 1);
      const running = caller.client(work).run({});
      await begun.promise;
      const drained = server.drain("5s");
      await until(caller, async () =>
        (await caller.find({ contract: "work" })).every((one) => one.draining),
      );
      const refused = await caller.client(work).run.try({});
      assert.ok(!refused.ok && refused.error.code === "unavailable", JSON.stringify(refused));
      release.resolve();
      assert.equal(await running, "done");
      await drained;
      assert.deepEqual(await server.closed, { reason: "drained" });
    });

    test("who leaves costs no call: what it has not begun goes to another at once", async () => {
      await using fabric = await open();
      const work = contract("work", "1.0.0", {
        run: rpc({ in: z.number(), out: z.number() }),
        each: stream({ in: z.number(), item: z.number() }),
      });
      let begun = 0;
      const addWorker = async (): Promise<Agent> => {
        const agent = await fabric.join({ name: "worker" });
        const note = async (number: number): Promise<number> => {
          begun++;
          await new Promise(setImmediate);
          return number;
        };
        await agent.serve(work, {
          run: note,
          async *each(number) {
            yield await note(number);
          },
        });
        return agent;
      };
      let workers = [await addWorker(), await addWorker()];
      const caller = await fabric.join({ name: "web" });
      await until(caller, async () => (await caller.find({ contract: "work" })).length === 2);
      const client = caller.client(work);
      const stop = new AbortController();
      const failed: FabricError[] = [];
      let answered = 0;
      const callOn = async (): Promise<void> => {
        for (let number = 0; !stop.signal.aborted; number++) {
          const outcome = await client.run.try(number);
          if (!outcome.ok) failed.push(outcome.error);
          else if (outcome.value === number) answered++;
          for await (const item of client.each(number)) if (item === number) answered++;
        }
      };
      const calling = Promise.all(Array.from({ length: 20 }, callOn));
      for (let round = 0; round < 4; round++) {
        const newcomer = await addWorker();
        await until(caller, async () => (await caller.find({ contract: "work" })).length >= 3);
        const [oldest, ...rest] = workers;
        workers = [...rest, newcomer];
        await oldest?.drain("20s");
      }
      stop.abort();
      await calling;
      assert.deepEqual(failed.map(String), []);
      assert.ok(answered > 100, `${answered} were answered`);
      assert.equal(begun, answered, "each was begun once");
    });

    test("a call whose handler met somebody who leaves has begun, and is not repeated", async () => {
      await using fabric = await open();
      const server = await fabric.join({ name: "worker" });
      let begun = 0;
      const work = contract("work", "1.0.0", { run: rpc({ in: z.object({}), out: z.string() }) });
      await server.serve(work, {
        run() {
          begun++;
          const options = { reason: "draining", unbegun: true };
          throw new FabricError("unavailable", "the store is leaving", options);
        },
      });
      const caller = await fabric.join({ name: "web" });
      await until(caller, async () => (await caller.find({ contract: "work" })).length === 1);
      const outcome = await caller.client(work).run.try({});
      assert.ok(!outcome.ok);
      assert.deepEqual(
        [outcome.error.reason, outcome.error.unbegun, begun],
        ["draining", false, 1],
      );
    });
  });
}
