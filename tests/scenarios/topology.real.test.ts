// SPDX-License-Identifier: Apache-2.0
// Agents of a real node are held to a topology, and wired anew when they come and go.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { openRig, until, type Rig } from "#lab/rig.ts";

const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });
const NAMES = ["a", "b", "c", "d", "e"];

let rig: Rig;
const agents = new Map<string, Agent>();

async function enter(name: string, direct: boolean): Promise<Agent> {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  const agent = await join({
    name,
    scope: "ring",
    node,
    ...(direct ? {} : { listen: false as const }),
  });
  await agent.serve(echo, { say: (text, { caller }) => `${name} heard ${text} of ${caller.name}` });
  agents.set(name, agent);
  return agent;
}

before(async () => {
  rig = await openRig();
  await rig.startNode();
  for (const [index, name] of NAMES.entries()) await enter(name, index % 2 === 0);
});
after(async () => {
  for (const agent of agents.values()) await agent[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const ring = (...args: readonly string[]) => rig.cli([...args, "--scope", "ring"]);

async function declare(text: string): Promise<void> {
  const file = joinPath(rig.directory, "topology.yaml");
  writeFileSync(file, text);
  const { code, stderr } = await ring("topology", "set", file);
  assert.equal(code, 0, stderr);
}

const say = (from: string, to: string) => {
  const agent = agents.get(from);
  assert.ok(agent !== undefined);
  return agent.client(echo, { agent: to }).say.try("hi", { timeout: "5s" });
};

interface View {
  readonly awaited: readonly string[];
  readonly graph: {
    readonly links: readonly { from: string; to: string }[];
    readonly hub?: string;
  };
}

async function readLinks(): Promise<readonly string[]> {
  const { body } = await rig.ask<View>("scopes/ring/topology");
  return body.graph.links.map(({ from, to }) => `${from}${to}`).toSorted();
}

test("without a topology everybody may talk to everybody, and the map says so", async () => {
  assert.deepEqual(await say("a", "c"), { ok: true, value: "c heard hi of a" });
  const { code, stderr } = await ring("map");
  assert.equal(code, 2);
  assert.match(stderr, /FL0709 no-topology/);
});

test("a ring refuses what has no link, with the neighbours, directly and through the node", async () => {
  await declare("kind: ring\n");
  assert.equal((await readLinks()).length, 5);
  const links = await readLinks();
  for (const from of NAMES) {
    for (const to of NAMES.filter((name) => name !== from)) {
      const outcome = await say(from, to);
      const linked = links.includes(from + to) || links.includes(to + from);
      assert.equal(outcome.ok, linked, `${from} to ${to}`);
      if (!outcome.ok) {
        assert.deepEqual(
          [outcome.error.code, outcome.error.reason],
          ["permission_denied", "no-link"],
        );
        assert.match(outcome.error.facts["links to"] ?? "", /^[a-e], [a-e]$/);
      }
    }
  }
});

test("with relay it is passed on from member to member, and the answer knows who asked first", async () => {
  await declare("kind: ring\nrelay: true\n");
  for (const from of NAMES)
    for (const to of NAMES.filter((name) => name !== from))
      assert.deepEqual(await say(from, to), { ok: true, value: `${to} heard hi of ${from}` });
});

test("people may talk to every member", async () => {
  const { code, stdout } = await ring("call", "c", "echo/say", '"hi"');
  assert.equal(code, 0);
  assert.match(stdout, /c heard hi of cli-\d+/);
});

test("when a member leaves, the ring closes; the decision says what changed and why", async () => {
  const before_ = await readLinks();
  const watcher = agents.get("a");
  await agents.get("c")?.[Symbol.asyncDispose]();
  agents.delete("c");
  assert.ok(watcher !== undefined);
  let links = await readLinks();
  for (let turn = 0; turn < 100 && links.length !== 4; turn++) {
    await watcher.find();
    links = await readLinks();
  }
  assert.equal(links.length, 4);
  assert.ok(links.every((link) => !link.includes("c")));
  assert.equal(links.filter((link) => !before_.includes(link)).length, 1);
  // The node has closed it; its members hear of their links a moment later.
  for (const from of ["a", "b", "d", "e"])
    for (const to of ["a", "b", "d", "e"].filter((name) => name !== from))
      await until(`${from} to ${to}`, 5_000, async () => (await say(from, to)).ok);
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string; trigger: { detail: string } }[] };
  const [last] = items.filter(({ act }) => act === "topology.rewire");
  assert.match(last?.trigger.detail ?? "", /c/);
});

test("a star elects another hub when its hub is lost", async () => {
  await declare("kind: star\nhub: b\n");
  const hub = async () => (await rig.ask<View>("scopes/ring/topology")).body.graph.hub;
  assert.equal(await hub(), "b");
  assert.equal((await say("a", "d")).ok, false);
  await agents.get("b")?.[Symbol.asyncDispose]();
  agents.delete("b");
  let elected = await hub();
  for (let turn = 0; turn < 100 && elected === "b"; turn++) elected = await hub();
  assert.equal(elected, "a");
  // The node has elected it; the two hear of their link a moment later.
  await until("they may talk", 5_000, async () => (await say("a", "d")).ok, 10);
});

/** How often the agents were wired so far. */
async function countRewirings(): Promise<number> {
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string }[] };
  return items.filter(({ act }) => act === "topology.rewire").length;
}

test("the topology outlives the node, which wires nobody anew when all come back", async () => {
  const [before_, rewirings] = [await readLinks(), await countRewirings()];
  assert.deepEqual(before_, ["ad", "ae"]);
  await rig.endNode("SIGKILL");
  await rig.startNode();
  assert.deepEqual(await readLinks(), before_);
  const awaited = async () => (await rig.ask<View>("scopes/ring/topology")).body.awaited;
  await until("all are back", 10_000, async () => (await awaited()).length === 0);
  await until("they may talk", 5_000, async () => (await say("a", "d")).ok);
  assert.equal((await say("e", "d")).ok, false);
  assert.deepEqual(await readLinks(), before_);
  assert.equal(await countRewirings(), rewirings);
});

test("it is shown as map, CSV and DOT, and can be removed, which is a decision", async () => {
  const map = await ring("map");
  assert.equal(map.code, 0, map.stderr);
  assert.match(map.stdout, /star/);
  assert.match((await ring("map", "--csv")).stdout, /^,a,d,e$/m);
  assert.match((await ring("map", "--dot")).stdout, /^(strict )?graph/);
  assert.equal((await ring("topology", "rm")).code, 0);
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string; outcome: string }[] };
  assert.deepEqual([items[0]?.act, items[0]?.outcome], ["topology.remove", "done"]);
  assert.equal((await rig.ask("scopes/ring/topology")).status, 404);
});

test("a file that is no topology changes nothing and says where it is wrong", async () => {
  const file = joinPath(rig.directory, "wrong.yaml");
  writeFileSync(file, "kind: circle\n");
  const { code, stderr } = await ring("topology", "set", file);
  assert.equal(code, 2);
  assert.match(stderr, /kind/);
  assert.equal((await ring("topology", "set", "none.yaml")).code, 2);
});
