// SPDX-License-Identifier: Apache-2.0
// What the documentation shows, run as it stands there: docs/fabric.md and the README are held to these.
import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, FabricError, rpc, stream, type Agent, type Log } from "@fairlead/sdk";
import { createTestFabric } from "@fairlead/sdk/testing";
import { z } from "zod";

const research = contract("research", "1.2.0", {
  summarize: rpc({
    in: z.object({ url: z.string() }),
    out: z.object({ text: z.string() }),
    idempotent: true,
  }),
  tokens: stream({ in: z.object({ prompt: z.string() }), item: z.string() }),
});
const Order = z.object({ id: z.string() });

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function createRecordingLog(lines: Line[]): Log {
  const write =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push({ level, message, fields });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

async function* think(prompt: string, signal: AbortSignal): AsyncGenerator<string> {
  for (const word of prompt.split(" ")) {
    signal.throwIfAborted();
    yield word;
  }
}

async function serveResearch(fl: Agent) {
  return fl.serve(
    research,
    {
      async summarize({ url }, ctx) {
        ctx.log.info("fetching", { url, from: ctx.caller.name });
        if (url === "secret") {
          const facts = {
            policy: "finance/default-deny",
            at: "fairlead.yaml:41",
            decision: "dec_1",
          };
          throw new FabricError("permission_denied", "not you", { facts });
        }
        return { text: `about ${url}` };
      },
      async *tokens({ prompt }, ctx) {
        for await (const token of think(prompt, ctx.signal)) yield token;
      },
    },
    { concurrency: 8 },
  );
}

async function awaitServed(fl: Agent): Promise<void> {
  for await (const _ of fl.watch())
    if ((await fl.find({ contract: "research" })).length > 0) return;
}

test("join: the node, the state, and how it ended", async () => {
  await using fabric = createTestFabric();
  const states: string[] = [];
  const fl = await fabric.join({ name: "researcher", kind: "agent", tags: { team: "docs" } });
  assert.deepEqual([fl.node.name, fl.scope], ["test", "default"]);
  const reading = (async () => {
    for await (const status of fl.status()) states.push(status.state);
  })();
  await fl.drain("5s");
  await reading;
  assert.deepEqual(states, ["joined", "draining", "left"]);
  assert.deepEqual(await fl.closed, { reason: "drained" });
});

test("serve and call: ctx.log says who asked for what, errors are values, srv.drain ends it", async () => {
  await using fabric = createTestFabric();
  const lines: Line[] = [];
  const server = await fabric.join({ name: "researcher", log: createRecordingLog(lines) });
  const srv = await serveResearch(server);
  await using fl = await fabric.join({ name: "web" });
  await awaitServed(fl);
  const r = fl.client(research);
  const { text } = await r.summarize({ url: "x" }, { timeout: "20s" });
  assert.equal(text, "about x");
  const said = { agent: "researcher", method: "research/summarize", caller: "default/web" };
  assert.deepEqual(lines, [
    { level: "info", message: "fetching", fields: { ...said, url: "x", from: "web" } },
  ]);
  const res = await r.summarize.try({ url: "secret" });
  assert.ok(!res.ok && res.error.code === "permission_denied" && !res.error.retryable);
  assert.deepEqual(
    [res.error.policy, res.error.at, res.error.decision],
    ["finance/default-deny", "fairlead.yaml:41", "dec_1"],
  );
  const got: string[] = [];
  for await (const t of r.tokens({ prompt: "one two three" })) {
    got.push(t);
    if (got.length === 2) break;
  }
  assert.deepEqual(got, ["one", "two"]);
  await srv.drain("20s");
  const gone = await fl.client(research, { agent: "researcher" }).summarize.try({ url: "x" });
  assert.ok(!gone.ok && gone.error.code === "unimplemented");
});

test("discover: now, the nearest first, and as it changes", async () => {
  await using fabric = createTestFabric();
  const place = (zone: string) => ({ region: "eu", zone });
  await using fl = await fabric.join({ name: "web", locality: place("a") });
  const up = Promise.withResolvers<readonly string[]>();
  void (async () => {
    for await (const ev of fl.watch({ kind: "agent" }))
      if (ev.type === "up" && ev.agent.name === "far") up.resolve(ev.agent.skills);
  })();
  const options = { kind: "agent" as const, skills: ["summarize"], version: "1.0.0" };
  await fabric.join({ ...options, name: "near", locality: place("a") });
  await fabric.join({ ...options, name: "far", locality: place("b") });
  assert.deepEqual(await up.promise, ["summarize"]);
  const found = await fl.find({ kind: "agent", skill: "summarize" });
  assert.deepEqual(
    found.map((s) => [s.name, s.version, s.healthy, s.distance]),
    [
      ["near", "1.0.0", true, 0],
      ["far", "1.0.0", true, 1],
    ],
  );
});

test("messages: on gives the subscription at once, drain ends it", async () => {
  await using fabric = createTestFabric();
  await using fl = await fabric.join({ name: "billing" });
  const handled: string[] = [];
  const rejected = Promise.withResolvers<string>();
  const grave = fl.on("orders.created.dead", ({ bytes }) =>
    rejected.resolve(Buffer.from(bytes).toString()),
  );
  await grave.ready;
  const sub = fl.on(
    "orders.created",
    async (m) => {
      if (m.data.id === "bad") return m.reject("bad order");
      handled.push(m.data.id);
    },
    { group: "billing", concurrency: 4, schema: Order },
  );
  assert.equal(typeof sub.drain, "function");
  const standing = await sub;
  assert.ok(!("then" in standing));
  await fl.publish("orders.created", { id: "o1" }, { dedupe: "o1" });
  await fl.publish("orders.created", { id: "bad" });
  assert.equal(await rejected.promise, '{"id":"bad"}');
  await sub.drain();
  assert.deepEqual(await sub.closed, { reason: "drained" });
  assert.deepEqual(handled, ["o1"]);
});
