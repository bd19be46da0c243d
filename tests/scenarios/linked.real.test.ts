// SPDX-License-Identifier: Apache-2.0
// Agents of three hosts without engines, whose nodes are linked: wired as one topology, and their messages kept.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import type { TopologyView } from "@fairlead/protocol/topology.ts";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { startEtcd } from "#lab/etcd.ts";
import { startHostNode, type HostNode } from "#lab/host-node.ts";
import { openPlainHosts, type LabHosts, type PlainHost } from "#lab/hosts.ts";
import { until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";
import { startAgentProcess } from "./agent-process.ts";

const PATIENCE_MS = 30_000;
const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

const stack = new AsyncDisposableStack();
let lab: LabHosts<PlainHost>;
const nodes: HostNode<PlainHost>[] = [];

function nodeAt(index: number): HostNode<PlainHost> {
  const node = nodes[index];
  assert.ok(node !== undefined);
  return node;
}

/** An agent on a host that is reached through its node only. */
async function joinAt(index: number, scope: string, name: string): Promise<Agent> {
  const agent = await join({ name, scope, node: nodeAt(index).fabric, listen: false });
  await agent.serve(echo, { say: (text, { caller }) => `${name} heard ${text} of ${caller.name}` });
  return agent;
}

before(async () => {
  lab = stack.use(openPlainHosts(3));
  const [first] = lab.hosts;
  assert.ok(first !== undefined);
  const etcd = stack.use(await startEtcd({ hosts: [first] }));
  const started = await Promise.all(
    lab.hosts.map((host) =>
      startHostNode(host, {
        FAIRLEAD_STORE_ENDPOINTS: etcd.endpoints.join(","),
        FAIRLEAD_FLEET_NAME: "harbour",
      }),
    ),
  );
  for (const node of started) nodes.push(stack.use(node));
  const countLinks = (): number =>
    nodes.reduce((sum, node) => sum + node.readLog().split('"a node is linked"').length - 1, 0);
  await until("each two are linked", PATIENCE_MS, () => countLinks() >= 3);
});
after(() => stack.disposeAsync());

const readTopology = async (index: number, scope: string): Promise<TopologyView> =>
  (await nodeAt(index).ask<TopologyView>(`scopes/${scope}/topology`)).body;

async function drawLinks(index: number, scope: string): Promise<string> {
  const view = await readTopology(index, scope).catch(() => undefined);
  return (view?.graph?.links ?? []).map(({ from, to }) => `${from}-${to}`).join(" ");
}

/** Waits until the hosts of these places have the same links, as many as said. */
async function awaitLinks(indices: readonly number[], scope: string, count: number) {
  await until(`${count} links on hosts ${indices.join()}`, PATIENCE_MS, async () => {
    const drawn = await Promise.all(indices.map((index) => drawLinks(index, scope)));
    return new Set(drawn).size === 1 && drawn[0]?.split(" ").length === count;
  });
}

test("a ring of agents on three hosts is the same on each; who goes with a host is left out, and comes back", async () => {
  const agents = new Map<string, Agent>();
  await using own = new AsyncDisposableStack();
  for (const [name, index] of Object.entries({ ann: 0, bob: 0, cleo: 1, dan: 1, eve: 2 }))
    agents.set(name, own.use(await joinAt(index, "ring", name)));
  const say = (from: string, to: string) =>
    agents.get(from)?.client(echo, { agent: to }).say.try("hi", { timeout: "5s" });
  await until("the last is found everywhere", PATIENCE_MS, async () => {
    const seen = await agents.get("ann")?.find({});
    return seen?.length === 5;
  });
  const file = joinPath(dirname(nodeAt(1).file("")), "ring.yaml");
  writeFileSync(file, "kind: ring\n");
  const set = await nodeAt(1).cli("topology", "set", file, "--scope", "ring");
  assert.equal(set.code, 0, set.stderr);
  await awaitLinks([0, 1, 2], "ring", 5);
  const { stdout } = await nodeAt(0).cli("map", "--scope", "ring");
  assert.match(stdout, /^ring of 5 members, 5 links, longest way 2 hops/m);

  const { graph } = await readTopology(0, "ring");
  const isLinked = (a: string, b: string): boolean =>
    graph.links.some(({ from, to }) => (from === a && to === b) || (from === b && to === a));
  for (const from of ["ann", "eve"])
    for (const to of ["bob", "cleo", "dan"]) {
      const outcome = await say(from, to);
      assert.equal(outcome?.ok, isLinked(from, to), `${from} to ${to}`);
      if (outcome?.ok === false) assert.equal(outcome.error.reason, "no-link");
    }
  await until("what went over the links of all hosts is known on each", PATIENCE_MS, async () => {
    const { drift } = await readTopology(1, "ring");
    return drift.used.length > 0 && drift.refused.length > 1;
  });

  await nodeAt(2).signal("SIGKILL");
  await awaitLinks([0, 1], "ring", 4);
  assert.deepEqual((await readTopology(0, "ring")).graph.members, ["ann", "bob", "cleo", "dan"]);
  await nodeAt(2).start();
  await awaitLinks([0, 1, 2], "ring", 5);
  const back = await readTopology(2, "ring");
  const [friend = ""] = back.graph.links
    .filter(({ from, to }) => from === "eve" || to === "eve")
    .map(({ from, to }) => (from === "eve" ? to : from));
  await until("eve may call whom she is linked to", PATIENCE_MS, async () => {
    const outcome = await say("eve", friend);
    return outcome?.ok === true;
  });

  const removed = await nodeAt(2).cli("topology", "rm", "--scope", "ring");
  assert.equal(removed.code, 0, removed.stderr);
  await until("everybody may talk to everybody", PATIENCE_MS, async () => {
    const outcomes = await Promise.all([say("ann", "cleo"), say("ann", "dan"), say("ann", "bob")]);
    return outcomes.every((outcome) => outcome?.ok === true);
  });
});

test("a group on another host has each message that was confirmed, in order, whichever node is killed meanwhile", async () => {
  await using source = await joinAt(0, "mail", "source");
  await using sink = await joinAt(1, "mail", "sink");
  const total = 120;
  const got: { n: number; attempt: number }[] = [];
  const marks = new Map<number, () => void>();
  const reached = (size: number): Promise<void> =>
    new Promise((resolve) => (got.length >= size ? resolve() : marks.set(size, resolve)));
  const work = await sink.on<number>(
    "orders.*",
    ({ data, attempt }) => {
      got.push({ n: data, attempt });
      marks.get(new Set(got.map(({ n }) => n)).size)?.();
    },
    { group: "billing" },
  );
  const publishing = (async () => {
    for (let n = 0; n < total; n++) await source.publish("orders.new", n, { key: "k" });
  })();
  for (const [size, index] of [
    [total / 4, 0],
    [total / 2, 1],
  ] as const) {
    await reached(size);
    await nodeAt(index).signal("SIGKILL");
    await nodeAt(index).start();
  }
  await publishing;
  await reached(total);
  const firsts = [...new Set(got.map(({ n }) => n))];
  assert.deepEqual(firsts, [...Array(total).keys()]);
  // What came twice was in hand when a node was killed, and says so.
  const twice = got.filter(({ n }, at) => got.findIndex((one) => one.n === n) !== at);
  assert.ok(twice.length <= 4 && twice.every(({ attempt }) => attempt > 1), JSON.stringify(twice));
  await until("all is acknowledged where it is kept", PATIENCE_MS, async () => {
    const { body } = await nodeAt(0).ask<{ items: readonly unknown[] }>("queues?scope=mail");
    return body.items.length === 0;
  });
  await work.drain();
  const kept = await nodeAt(0).cli("send", "orders.late", "7", "--keep", "--scope", "mail");
  assert.equal(kept.code, 0, kept.stderr);
  for (const index of [0, 2]) {
    const { stdout } = await nodeAt(index).cli("queues", "--scope", "mail");
    assert.match(stdout, /^SUBJECT +SCOPE +GROUP +NODE +WAITING/);
    assert.match(stdout, /^orders\.late +mail +billing +h1 +1 /m, "kept where it was published");
  }
});

test("nodes that cannot reach each other are linked through a third, and directly again once they can", async (t) => {
  const [first, , third] = lab.hosts;
  assert.ok(first !== undefined && third !== undefined);
  await using near = await joinAt(0, "way", "near");
  await using far = await joinAt(2, "way", "far");
  /** How the first and the third host were linked last, as the one says that connects. */
  const readWay = (): string => {
    const said = [
      ...nodeAt(0)
        .readLog()
        .matchAll(/"a node is linked","name":"h3","via":"([^"]+)"/g),
      ...nodeAt(2)
        .readLog()
        .matchAll(/"a node is linked","name":"h1","via":"([^"]+)"/g),
    ];
    return said.at(-1)?.[1] ?? "";
  };
  const call = () => near.client(echo, { agent: "far" }).say.try("hi", { timeout: "5s" });
  await until("the direct way is taken", PATIENCE_MS, async () => (await call()).ok);
  assert.equal(readWay(), "directly");
  lab.block([
    [first, third],
    [third, first],
  ]);
  const cutMs = performance.now();
  await until("they are linked through the second", PATIENCE_MS, () => readWay() === "h2");
  t.diagnostic(`linked around after ${Math.round(performance.now() - cutMs)} ms`);
  await until("calls go that way", PATIENCE_MS, async () => (await call()).ok);
  const { body } = await nodeAt(0).ask<{ items: readonly { name: string; state: string }[] }>(
    "nodes",
  );
  assert.deepEqual(
    body.items.map(({ name, state }) => `${name} ${state}`),
    ["h1 alive", "h2 alive", "h3 alive"],
  );
  lab.block([]);
  await until("the direct way is taken again", PATIENCE_MS, () => readWay() === "directly");
  assert.ok((await call()).ok);
  assert.equal(far.name, "far");
});

test("calls cost nothing while instances are drained, and while a node leaves and comes back", async (t) => {
  await using caller = await joinAt(0, "leave", "caller");
  const joinWorker = (index: number): Promise<Agent> => joinAt(index, "leave", "worker");
  await using near = await joinWorker(1);
  let far = await joinWorker(2);
  const awaitWorkers = (count: number): Promise<void> =>
    until(`${count} workers are known`, PATIENCE_MS, async () => {
      const found = await caller.find({ name: "worker", contract: "echo" });
      return found.filter(({ draining, healthy }) => healthy && !draining).length === count;
    });
  await awaitWorkers(2);
  const client = caller.client(echo);
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const callOn = async (): Promise<void> => {
    while (!isOver) {
      const outcome = await client.say.try("hi", { timeout: "10s" });
      if (outcome.ok) answered++;
      else failed.push(String(outcome.error));
    }
  };
  const calling = Promise.all(Array.from({ length: 10 }, callOn));
  try {
    for (let times = 0; times < 2; times++) {
      const next = await joinWorker(2);
      await awaitWorkers(3);
      await far.drain("10s");
      far = next;
      await awaitWorkers(2);
    }
    await nodeAt(2).signal("SIGTERM");
    await nodeAt(2).start();
    await awaitWorkers(2);
  } finally {
    isOver = true;
    await calling;
    await far.drain("1s");
  }
  assert.deepEqual(failed, []);
  assert.equal(near.name, "worker");
  t.diagnostic(`0 of ${answered} failed`);
});

const TEXT_BYTES = 4_096;
const CALLS = 100;

/** A program with an agent that listens on its host, and talks to the node there. */
function startAgent(index: number, name: string, file: string, env: NodeJS.ProcessEnv = {}) {
  const { fabric, host } = nodeAt(index);
  const program = joinPath(import.meta.dirname, file);
  return startAgentProcess({ name, network: `/run/netns/${host.netns}`, fabric, program, env });
}

const nft = (...script: readonly string[]): string =>
  runInNamespace(lab.switchNetns, "nft", [script.join("; ")]);

/** Bytes of TCP that the switch has carried from and to nodes, and else. */
function readBytes(): { readonly nodes: number; readonly others: number } {
  const rules = runInNamespace(lab.switchNetns, "nft", ["list", "table", "bridge", "talk"]);
  const [dialled = 0, answered = 0, others = 0] = [...rules.matchAll(/bytes (\d+)/g)].map(
    ([, count]) => Number(count),
  );
  return { nodes: dialled + answered, others };
}

test("agents that reach each other talk past their nodes, and through them while that way is cut", async () => {
  nft(
    "add table bridge talk; add chain bridge talk by { type filter hook forward priority 0; }",
    "add rule bridge talk by tcp dport 7120 counter accept",
    "add rule bridge talk by tcp sport 7120 counter accept",
    "add rule bridge talk by ip protocol tcp counter",
  );
  await using _server = await startAgent(2, "server", "programs/echo-agent.ts");
  await using caller = await startAgent(1, "caller", "programs/direct-caller.ts", {
    PEER: "server",
    TEXT_BYTES: String(TEXT_BYTES),
  });
  const answers = async (): Promise<boolean> => (await caller.ask("1")) === "answered 1";
  /** What so many calls were carried by. */
  const call = async () => {
    const before = readBytes();
    const isWhole = (await caller.ask(String(CALLS))) === `answered ${CALLS}`;
    const after = readBytes();
    return { isWhole, nodes: after.nodes - before.nodes, others: after.others - before.others };
  };
  // As it was compressed.
  const sizeBytes = (CALLS * TEXT_BYTES) / 2;
  // A call that is under way while the way changes may fail, and says so.
  const isDirect = ({ isWhole, nodes, others }: Awaited<ReturnType<typeof call>>): boolean =>
    isWhole && others > sizeBytes && nodes < sizeBytes / 4;
  await until("a call is answered", PATIENCE_MS, answers);
  await until("calls go past the nodes", PATIENCE_MS, async () => isDirect(await call()));

  // All between the two hosts but what their nodes say to each other.
  nft(
    "add table bridge cut; add chain bridge cut by { type filter hook forward priority -1; }",
    'add rule bridge cut by iifname "h2" oifname "h3" ip protocol tcp tcp dport != 7120 tcp sport != 7120 drop',
    'add rule bridge cut by iifname "h3" oifname "h2" ip protocol tcp tcp dport != 7120 tcp sport != 7120 drop',
  );
  try {
    await until("a call is answered again", PATIENCE_MS, answers);
    const relayed = await call();
    assert.ok(relayed.isWhole && relayed.nodes > sizeBytes, JSON.stringify(relayed));
  } finally {
    nft("delete table bridge cut");
  }
  await until("they go past the nodes again", PATIENCE_MS, async () => isDirect(await call()));
});
