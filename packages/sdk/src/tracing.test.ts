// SPDX-License-Identifier: Apache-2.0
// A trace goes with whatever is sent, where the program has OpenTelemetry: here, what `@opentelemetry/api` registers, by hand.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, before, test } from "node:test";
import { z } from "zod";
import type { Agent } from "./agent.ts";
import { contract, rpc, stream } from "./contract.ts";
import { createTestFabric } from "./testing.ts";

const API = Symbol.for("opentelemetry.js.api.1");
const present = new AsyncLocalStorage<string>();
const work = contract("work", "1.0.0", {
  run: rpc({ in: z.object({}), out: z.string() }),
  count: stream({ in: z.object({}), item: z.string() }),
});

type Carrier = Record<string, string>;

const registered = {
  version: "1.10.0",
  context: {
    active: () => present.getStore(),
    with: <T>(context: string | undefined, run: () => T): T =>
      context === undefined ? present.exit(run) : present.run(context, run),
  },
  propagation: {
    inject(
      context: string | undefined,
      carrier: Carrier,
      setter: { set(carrier: Carrier, key: string, value: string): void },
    ): void {
      if (context !== undefined) setter.set(carrier, "traceparent", context);
    },
    extract: (
      context: string | undefined,
      carrier: Carrier,
      getter: { get(carrier: Carrier, key: string): string | undefined },
    ) => getter.get(carrier, "traceparent") ?? context,
  },
};

before(() => void Object.assign(globalThis, { [API]: registered }));
after(() => void Reflect.deleteProperty(globalThis, API));

const trace = (): string => present.getStore() ?? "none";

async function awaitReach(agent: Agent, subject: string): Promise<void> {
  for await (const _ of agent.watch()) if ((await agent.reach(subject)) === 1) return;
}

test("a call, and each item of a stream, is answered within the caller's trace", async () => {
  await using fabric = createTestFabric();
  const server = await fabric.join({ name: "server" });
  await server.serve(work, {
    run: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return trace();
    },
    async *count() {
      yield trace();
      await new Promise((resolve) => setImmediate(resolve));
      yield trace();
    },
  });
  const caller = await fabric.join({ name: "caller" });
  for await (const { agent } of caller.watch()) if (agent.contracts.length > 0) break;
  const client = caller.client(work);
  assert.equal(await present.run("t-1", () => client.run({})), "t-1");
  const items = await present.run("t-2", () => Array.fromAsync(client.count({})));
  assert.deepEqual(items, ["t-2", "t-2"]);
  assert.equal(await client.run({}), "none");
});

test("a message is heard, and one that is kept is handled, within its sender's trace", async () => {
  await using fabric = createTestFabric();
  const sender = await fabric.join({ name: "sender" });
  const reader = await fabric.join({ name: "reader" });
  const heard: string[] = [];
  const all = Promise.withResolvers<void>();
  reader.hear("news", () => {
    heard.push(trace());
    if (heard.length === 2) all.resolve();
  });
  await awaitReach(sender, "news");
  await present.run("t-3", async () => sender.emit("news", 1));
  await sender.emit("news", 2);
  await all.promise;
  assert.deepEqual(heard, ["t-3", "none"]);
  const kept = Promise.withResolvers<string>();
  await reader.on("orders", () => kept.resolve(trace()), { group: "g" });
  await present.run("t-4", () => sender.publish("orders", 1));
  assert.equal(await kept.promise, "t-4");
});
