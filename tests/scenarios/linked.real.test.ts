// SPDX-License-Identifier: Apache-2.0
// Agents of three hosts without engines, whose nodes are linked: wired as one topology, and their messages kept.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import type { TopologyView } from "@fairlead/protocol/topology.ts";
import { z } from "zod";
import { startEtcd } from "#lab/etcd.ts";
import { startHostNode, type HostNode } from "#lab/host-node.ts";
import { openPlainHosts, type LabHosts, type PlainHost } from "#lab/hosts.ts";
import { until } from "#lab/rig.ts";

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
  assert.match(stdout, /^ring of 5 members, 5 links, longest way 2 hops/);

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
