// SPDX-License-Identifier: Apache-2.0
// What holds of routing in every fabric: direct, relayed through the node, in memory.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { RouteAnswer } from "@fairlead/protocol/route-answer.ts";
import { z } from "zod";
import type { Agent } from "./agent.ts";
import { contract, rpc, type ContractOptions } from "./contract.ts";
import type { FabricUnderTest } from "./fabric-conformance.ts";

function declare(options: ContractOptions = {}) {
  const methods = {
    run: rpc({ in: z.object({}), out: z.string(), idempotent: true }),
    once: rpc({ in: z.object({}), out: z.string() }),
  };
  return contract("work", "1.0.0", methods, options);
}

/** An instance of "worker" that answers with its word, after what `before` does. */
async function addWorker(
  fabric: FabricUnderTest,
  word: string,
  before: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
  route?: string,
): Promise<Agent> {
  const agent = await fabric.join({ name: "worker", ...(route === undefined ? {} : { route }) });
  const answer = async (_: object, { signal }: { signal: AbortSignal }): Promise<string> => {
    await before(signal);
    return word;
  };
  await agent.serve(declare(), { run: answer, once: answer });
  return agent;
}

async function joinCaller(fabric: FabricUnderTest, workers: number): Promise<Agent> {
  const caller = await fabric.join({ name: "web" });
  const areThere = async (): Promise<boolean> =>
    (await caller.find({ contract: "work" })).length === workers;
  if (await areThere()) return caller;
  for await (const _ of caller.watch()) if (await areThere()) break;
  return caller;
}

/** Runs every rule against fabrics that `open` makes. */
export function testRouting(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`routing ${name}`, () => {
    test("a slow instance gets fewer calls", async () => {
      await using fabric = await open();
      await addWorker(fabric, "fast");
      await addWorker(fabric, "slow", () => new Promise((resolve) => setTimeout(resolve, 300)));
      const client = (await joinCaller(fabric, 2)).client(declare());
      const answers: string[] = [];
      for (let call = 0; call < 40; call++) answers.push(await client.run({}));
      const slow = answers.filter((answer) => answer === "slow").length;
      assert.ok(slow < 10, `${slow} of 40 calls went to the slow one`);
    });

    test("one that fails is left out, is said to be, and comes back", async () => {
      await using fabric = await open();
      let ill = true;
      let failed = 0;
      const fail = (): Promise<void> => {
        if (!ill) return Promise.resolve();
        failed++;
        return Promise.reject(new FabricError("internal", "the disk is full"));
      };
      await addWorker(fabric, "good");
      const bad = await addWorker(fabric, "bad", fail);
      const caller = await joinCaller(fabric, 2);
      const strict = declare({ route: "round-robin eject=2 eject-time=10m" });
      const soon = declare({ route: "round-robin eject=2 eject-time=30ms" });
      const outcomes = [];
      for (let call = 0; call < 20; call++) outcomes.push(await caller.client(strict).once.try({}));
      assert.equal(failed, 2);
      assert.equal(outcomes.filter(({ ok }) => !ok).length, 2);
      const target = { contract: "work", version: "1.0.0", route: strict.route };
      const { candidates, source } = caller.explainRoute(target);
      const excluded = candidates.find(({ id }) => id === bad.id)?.excluded;
      assert.match(excluded ?? "", /^its calls failed: left out for another \d+ ms$/);
      assert.equal(source, "contract");
      while (failed < 4) await caller.client(soon).once.try({});
      ill = false;
      while ((await caller.client(soon).once({})) !== "bad");
    });

    test("a call that takes longer than most asks a second instance, and calls off the first", async () => {
      await using fabric = await open();
      let hanging = false;
      const canceled = Promise.withResolvers<string>();
      const hang = (signal: AbortSignal): Promise<void> => {
        if (!hanging) return Promise.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            const error = FabricError.from(signal.reason);
            canceled.resolve(error.code);
            reject(error);
          });
        });
      };
      await addWorker(fabric, "good");
      await addWorker(fabric, "hanging", hang);
      const route = "round-robin hedge=p99 retry=100%";
      const client = (await joinCaller(fabric, 2)).client(declare({ route }));
      for (let call = 0; call < 30; call++) await client.run({});
      hanging = true;
      assert.deepEqual([await client.run({}), await client.run({})], ["good", "good"]);
      assert.equal(await canceled.promise, "canceled");
    });

    test("a service says how it is routed; the caller's contract comes before it", async () => {
      await using fabric = await open();
      await addWorker(fabric, "a", undefined, "least-requests eject=off");
      const caller = await joinCaller(fabric, 1);
      const explain = (route?: string) =>
        caller.explainRoute({ contract: "work", version: "1.0.0", route });
      assert.deepEqual(
        [explain().policy, explain().source],
        ["least-requests eject=off", "service"],
      );
      const own = explain("random-two");
      assert.deepEqual([own.policy, own.source], ["random-two", "contract"]);
      assert.equal(caller.explainRoute({ agent: "worker" }).policy, "least-requests eject=off");
    });

    test("the contract's route holds for a client of one agent too, and for that client only", async () => {
      await using fabric = await open();
      const begun = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const hold = (): Promise<void> => {
        begun.resolve();
        return release.promise;
      };
      await addWorker(fabric, "a", hold, "least-requests");
      const caller = await joinCaller(fabric, 1);
      const strict = caller.client(declare({ route: "ewma breaker=1" }), { agent: "worker" });
      const running = strict.once({});
      await begun.promise;
      const refused = await strict.once.try({});
      assert.ok(!refused.ok && refused.error.reason === "breaker");
      const other = caller.client(declare(), { agent: "worker" }).once({});
      release.resolve();
      assert.deepEqual(await Promise.all([running, other]), ["a", "a"]);
      const explain = (route?: string) => caller.explainRoute({ agent: "worker", route }).policy;
      assert.deepEqual(
        [explain("ewma breaker=1"), explain()],
        ["ewma breaker=1", "least-requests"],
      );
    });

    test("an agent says how it chose whom it called, and nothing of those it never called", async () => {
      await using fabric = await open();
      const worker = await addWorker(fabric, "a");
      const caller = await joinCaller(fabric, 1);
      await caller.client(declare()).run({});
      const asking = await fabric.join({ name: "asking" });
      const areThere = async (): Promise<boolean> =>
        (await asking.find({ name: "web" })).length === 1;
      if (!(await areThere())) for await (const _ of asking.watch()) if (await areThere()) break;
      const ask = async (to: string) =>
        RouteAnswer.parse(await asking.call("web", "$route", { to })).routes;
      const [route, ...others] = await ask("worker");
      assert.deepEqual(others, []);
      assert.deepEqual([route?.about, route?.policy, route?.source], ["work", "ewma", "default"]);
      assert.deepEqual(
        route?.choices.map(({ id, among }) => [id, among]),
        [[worker.id, 1]],
      );
      assert.equal((await ask("work")).length, 1);
      assert.deepEqual(await ask("nobody"), []);
      await assert.rejects(asking.call("web", "$route", {}), /is asked as/);
    });

    test("no instance gets more calls than its breaker allows, and the refusal says so", async () => {
      await using fabric = await open();
      const release = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      await addWorker(fabric, "a", () => {
        begun.resolve();
        return release.promise;
      });
      const client = (await joinCaller(fabric, 1)).client(declare({ route: "ewma breaker=1" }));
      const running = client.once({});
      await begun.promise;
      const refused = await client.once.try({});
      assert.ok(!refused.ok);
      assert.deepEqual(
        [refused.error.code, refused.error.reason],
        ["resource_exhausted", "breaker"],
      );
      release.resolve();
      assert.equal(await running, "a");
    });

    test("a key goes to the same instance", async () => {
      await using fabric = await open();
      for (const word of ["a", "b", "c"]) await addWorker(fabric, word);
      const client = (await joinCaller(fabric, 3)).client(declare({ route: "hash:user" }));
      for (const user of ["ann", "ben", "eve", "joe"]) {
        const answers = new Set<string>();
        for (let call = 0; call < 10; call++)
          answers.add(await client.run({}, { headers: { User: user } }));
        assert.equal(answers.size, 1, user);
      }
    });

    test("a route that is none is refused where it is written", async () => {
      await using fabric = await open();
      assert.throws(() => declare({ route: "ewam" }), /did you mean "ewma"/);
      await assert.rejects(fabric.join({ name: "worker", route: "ewma hegde=p95" }), /"hedge"/);
    });
  });
}
