// SPDX-License-Identifier: Apache-2.0
// What agents do with a topology that their node tells them, and what they tell it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { createTrafficLedger, type ReportedLinks } from "@fairlead/fabric/traffic-ledger.ts";
import { z } from "zod";
import type { Agent } from "./agent.ts";
import { contract, rpc } from "./contract.ts";
import { join } from "./join.ts";

const SCOPE = "default";
const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

async function openNode() {
  const traffic = createTrafficLedger();
  const node = await openHub({ traffic });
  const { routes, registry } = node;
  const agents: Agent[] = [];
  return {
    routes,
    traffic,
    registry,
    async join(name: string): Promise<Agent> {
      const agent = await join({ name, node: node.address });
      agents.push(agent);
      await agent.serve(echo, { say: () => name });
      return agent;
    },
    /** Wires `a` with those named, in both directions; the others with nobody. */
    wire(...neighbours: readonly string[]): void {
      const members = ["a", "b", "c"];
      const links = (name: string): string[] => {
        if (name === "a") return [...neighbours];
        return neighbours.includes(name) ? ["a"] : [];
      };
      const of = (name: string) => {
        const to = links(name);
        return [name, { to, from: to, via: {}, members, hopsMax: 10 }] as const;
      };
      routes.set(SCOPE, new Map(members.map(of)));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
      await node[Symbol.asyncDispose]();
    },
  };
}

/** Resolves once the agent sees that so many serve the contract. */
async function seeServers(agent: Agent, count: number): Promise<void> {
  const enough = async () => (await agent.find({ contract: "echo" })).length === count;
  if (await enough()) return;
  for await (const _ of agent.watch()) if (await enough()) return;
}

describe("a topology", () => {
  test("a contract is answered by those whom it leads to, though others serve it too", async () => {
    await using node = await openNode();
    node.wire("b");
    const [a] = [await node.join("a"), await node.join("b"), await node.join("c")];
    const client = a.client(echo);
    await seeServers(a, 3);
    const others = new Set<string>();
    for (let call = 0; call < 40; call++) others.add(await client.say("x"));
    assert.ok(others.has("b") && !others.has("c"), [...others].join());
  });

  test("messages that are emitted follow when it is wired anew", async () => {
    await using node = await openNode();
    node.wire("b");
    const heard: string[] = [];
    const came = { b: Promise.withResolvers<void>(), c: Promise.withResolvers<void>() };
    const a = await node.join("a");
    for (const name of ["b", "c"] as const) {
      const agent = await node.join(name);
      agent.hear("news", ({ data }) => {
        heard.push(`${name} ${String(data)}`);
        came[name].resolve();
      });
    }
    while ((await a.reach("news")) === 0) await new Promise(setImmediate);
    await a.emit("news", 1);
    await came.b.promise;
    node.wire("c");
    // Until the agents have been told it goes to b, or to nobody.
    let over = false;
    void came.c.promise.then(() => (over = true));
    while (!over) {
      await a.emit("news", 2);
      await new Promise(setImmediate);
    }
    const before = heard.filter((one) => one.startsWith("b")).length;
    for (let turn = 0; turn < 10; turn++) await a.emit("news", 3);
    assert.equal(await a.reach("news"), 1);
    await a.drain();
    assert.equal(heard.filter((one) => one.startsWith("b")).length, before);
    assert.ok(!heard.includes("c 1"));
  });

  test("an agent tells what it sent past its node and what was refused, the last of it when it leaves", async () => {
    await using node = await openNode();
    const reports: ReportedLinks[] = [];
    node.traffic.watch((report) => void reports.push(report));
    node.wire("b");
    const [a] = [await node.join("a"), await node.join("b"), await node.join("c")];
    await seeServers(a, 3);
    for (let call = 0; call < 3; call++) await a.client(echo, { agent: "b" }).say("x");
    const refused = await a.client(echo, { agent: "c" }).say.try("x");
    assert.equal(refused.ok, false);
    await a.drain();
    const told = reports.filter(({ name }) => name === "a");
    assert.deepEqual(told[0]?.links, [], "the first says that it tells");
    const sum = (to: string, what: "used" | "refused"): number =>
      told
        .flatMap(({ links }) => links.filter((l) => l.to === to))
        .reduce((n, l) => n + l[what], 0);
    assert.deepEqual([sum("b", "used"), sum("b", "refused")], [3, 0]);
    assert.deepEqual([sum("c", "used"), sum("c", "refused")], [0, 1]);
    assert.equal(
      node.traffic.take().get(SCOPE)?.links.length ?? 0,
      0,
      "the node passed on nothing",
    );
  });

  test("who becomes a member has joined once it is wired, and may call nobody before", async () => {
    await using node = await openNode();
    node.wire();
    await node.join("b");
    node.routes.hold(SCOPE, "a");
    const up = Promise.withResolvers<void>();
    node.registry.watch(({ agent }) => agent.name === "a" && up.resolve());
    let joined = false;
    const joining = node.join("a").then((agent) => ((joined = true), agent));
    await up.promise;
    await node.join("c");
    assert.equal(joined, false);
    node.wire("b");
    const a = await joining;
    assert.equal(await a.client(echo, { agent: "b" }).say("x"), "b");
    const outcome = await a.client(echo, { agent: "c" }).say.try("x");
    assert.equal(outcome.ok ? "" : outcome.error.reason, "no-link");
  });
});
