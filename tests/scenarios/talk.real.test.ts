// SPDX-License-Identifier: Apache-2.0
// Programs join a real node's fabric, and people talk to them from the command line.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { contract, join, rpc, stream, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { openRig, type Rig } from "#lab/rig.ts";

const research = contract("research", "1.2.0", {
  summarize: rpc({ in: z.object({ url: z.string() }), out: z.object({ text: z.string() }) }),
  count: stream({ in: z.object({ to: z.number() }), item: z.number() }),
});

let rig: Rig;
let agent: Agent;
const heard: unknown[] = [];

before(async () => {
  rig = await openRig();
  await rig.startNode();
  agent = await join({
    name: "researcher",
    kind: "agent",
    scope: "talk",
    node: `unix:${rig.directory}/fabric/fabric.sock`,
  });
  await agent.serve(research, {
    async summarize({ url }, { caller }) {
      return { text: `${url} for ${caller.scope}/${caller.name.replace(/\d+/, "N")}` };
    },
    async *count({ to }) {
      for (let number = 1; number <= to; number++) yield number;
    },
  });
  agent.hear("orders.*", ({ data }) => void heard.push(data));
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const talk = (...args: readonly string[]) => rig.cli([...args, "--scope", "talk"]);

test("agents are listed with what they serve and hear", async () => {
  const { code, stdout } = await talk("agents");
  assert.equal(code, 0);
  assert.match(stdout, /researcher +talk +agent +ok +research 1\.2\.0 +orders\.\* +0\.00 +\S+/);
  const { items } = (await rig.ask<{ items: { name: string }[] }>("agents?skill=none")).body;
  assert.deepEqual(items, []);
});

test("a method is called, and its stream read, line by line", async () => {
  const { code, stdout } = await talk("call", "researcher", "research/summarize", '{"url":"x"}');
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { text: "x for talk/cli-N" });
  const counted = await talk("call", "researcher", "research/count", '{"to":3}', "--stream");
  assert.equal(counted.stdout, "1\n2\n3\n");
});

test("where a call went is explained, of one's own and of an agent's", async () => {
  const own = await talk("call", "researcher", "research/summarize", '{"url":"x"}', "--explain");
  assert.deepEqual(JSON.parse(own.stdout), { text: "x for talk/cli-N" });
  assert.match(own.stderr, /calls to researcher: ewma, the node's default/);
  assert.match(own.stderr, /researcher\.\S+ .* 1 +-/);
  const none = await talk("why", "researcher", "--to", "somebody");
  assert.deepEqual([none.code, none.stderr.includes("FL0930")], [2, true]);
  await using caller = await join({
    name: "caller",
    scope: "talk",
    node: `unix:${rig.directory}/fabric/fabric.sock`,
  });
  await caller.client(research).summarize({ url: "y" });
  const { code, stdout } = await talk("why", "caller", "--to", "researcher");
  assert.equal(code, 0);
  assert.match(stdout, /calls to research: ewma, the node's default/);
  assert.match(stdout, /ago: researcher\.\S+, one of 1/);
});

test("what cannot be called says why, with its exit code", async () => {
  const nobody = await talk("call", "nobody", "a/b");
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /FL0691 no-agent: there is no agent "nobody"/);
  const wrong = await talk("call", "researcher", "research/summarize", '{"url":7}');
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /FL0692 call-failed: .*url: /);
  assert.equal((await talk("call", "researcher", "research/summarize", "{oops")).code, 2);
  assert.equal((await talk("call", "researcher", "summarize")).code, 2);
  const away = await rig.cli(["agents", "--socket", `${rig.directory}/none.sock`]);
  assert.equal(away.code, 3);
});

test("a message reaches those who hear it; nobody is an answer too", async () => {
  const sent = await talk("send", "orders.created", '{"id":1}');
  assert.deepEqual([sent.code, sent.stdout], [0, "sent to 1\n"]);
  const lost = await talk("send", "nobody.hears", "x");
  assert.deepEqual([lost.code, lost.stdout], [1, "nobody in talk hears nobody.hears\n"]);
  await agent.call("researcher", "research/summarize", { url: "after" });
  assert.deepEqual(heard, [{ id: 1 }]);
});

test("sub shows what comes and ends after its count", async () => {
  const subscribed = talk("sub", "news.>", "--count", "2");
  const watching = new AbortController();
  for await (const change of agent.watch({}, { signal: watching.signal }))
    if (
      change.type !== "gone" &&
      change.agent.subscriptions.some(({ pattern }) => pattern === "news.>")
    )
      break;
  await agent.emit("news.a", "one");
  await agent.emit("news.b.c", { two: 2 });
  const { code, stdout } = await subscribed;
  assert.equal(code, 0);
  assert.equal(stdout, 'news.a  researcher  "one"\nnews.b.c  researcher  {"two":2}\n');
});

test("ping names the instance that answered", async () => {
  const { code, stdout } = await talk("ping", "researcher", "-n", "2", "--size", "1000");
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^${agent.id}  [\\d.]+ ms\n${agent.id}  [\\d.]+ ms\n$`));
});

test("bench measures round trips and answers a second", async () => {
  const { code, stdout, stderr } = await talk(
    "bench",
    "researcher",
    "--for",
    "600ms",
    "-o",
    "jsonl",
  );
  assert.equal(code, 0, stderr);
  const figures = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    figures.map(({ metric, unit }) => [metric, unit]),
    [
      ["round_trip", "ms"],
      ["answers", "1/s"],
    ],
  );
  assert.ok(
    figures.every(({ p50, n }) => p50 > 0 && n > 0),
    stdout,
  );
  assert.equal((await talk("bench", "nobody")).code, 2);
});

test("an agent joins again after the node was killed", async () => {
  const states: string[] = [];
  const again = Promise.withResolvers<void>();
  void (async () => {
    for await (const { state } of agent.status()) {
      if (states.at(-1) !== state) states.push(state);
      if (states.length === 3) again.resolve();
    }
  })();
  await rig.endNode("SIGKILL");
  await rig.startNode();
  await again.promise;
  assert.deepEqual(states, ["joined", "reconnecting", "joined"]);
  assert.match((await talk("agents")).stdout, /researcher/);
});
