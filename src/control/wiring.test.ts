// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once, EventEmitter } from "node:events";
import { describe, test } from "node:test";
import { createRegistry } from "@fairlead/fabric/registry.ts";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { createTrafficLedger } from "@fairlead/fabric/traffic-ledger.ts";
import { recordOf, SCOPE } from "@fairlead/protocol/testing/record-of.ts";
import { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import type { Decision } from "#model/decision.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { computeRoutes } from "./compute-routes.ts";
import { createDecisionLog } from "./decision-log.ts";
import { loadTopologies } from "./kept-topologies.ts";
import { createObservedBoard } from "./observed-board.ts";
import { createWiring } from "./wiring.ts";

const REJOIN_MS = 10_000;
const BY = { actor: "uid 0", reason: "fewer hops" };
const ring = TopologyDeclaration.parse({ kind: "ring" });

/** A node's wiring over a store, as the composition root makes it; `said` is what happened, in order. */
async function startWiring(store: Store, clock = createManualClock()) {
  const kept = await loadTopologies(store, silentLogger);
  const routes = createRouteBoard();
  for (const [scope, { graph }] of kept) routes.set(scope, computeRoutes(graph));
  const registry = createRegistry();
  const parts = { store, clock, random: Math.random, logger: silentLogger };
  const decisions = createDecisionLog(parts);
  const said: string[] = [];
  const told: Decision[] = [];
  const events = new EventEmitter();
  decisions.onDecision((decision) => {
    said.push(`${decision.act} ${decision.outcome}`);
    if (decision.outcome !== "pending") told.push(decision);
    events.emit(decision.outcome);
  });
  routes.watch(() => said.push("told"));
  const fabric = {
    registry,
    everyone: registry,
    routes,
    traffic: createTrafficLedger(),
    list: registry.list,
  };
  const observed = createObservedBoard({ fabric, clock });
  const wiring = createWiring({ fabric, decisions, observed, kept, rejoinMs: REJOIN_MS, ...parts });
  const stopping = new AbortController();
  const running = wiring.run(stopping.signal);
  return {
    wiring,
    routes,
    registry,
    clock,
    said,
    told,
    /** Does something and waits for the decision that it leads to. */
    async see(act: () => unknown): Promise<void> {
      const done = once(events, "done");
      act();
      await done;
    },
    links: () => wiring.view(SCOPE).graph.links.map(({ from, to }) => from + to),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

const openMemory = (): Promise<Store> =>
  openStore({ kind: "memory" }, { clock: createManualClock() });

describe("createWiring()", () => {
  test("writes each decision before anybody is told, and completes it after", async () => {
    await using store = await openMemory();
    await using node = await startWiring(store);
    for (const name of ["a", "b", "c"]) node.registry.put(recordOf(name));
    await node.wiring.declare(SCOPE, ring, BY);
    await node.see(() => node.registry.put(recordOf("d")));
    await node.wiring.remove(SCOPE, BY);
    const rewired = ["topology.rewire pending", "told", "topology.rewire done"];
    const removed = ["topology.remove pending", "told", "topology.remove done"];
    assert.deepEqual(node.said, [...rewired, ...rewired, ...removed]);
    assert.deepEqual((await loadTopologies(store, silentLogger)).size, 0);
  });

  test("a store that takes nothing leaves the links as they are, and the decision says so", async () => {
    const store = await openMemory();
    await using node = await startWiring(store);
    for (const name of ["a", "b", "c", "d"]) node.registry.put(recordOf(name));
    await node.wiring.declare(SCOPE, ring, BY);
    const before = node.links();
    await store[Symbol.asyncDispose]();
    await assert.rejects(node.wiring.remove(SCOPE, BY), FairleadError);
    assert.deepEqual(node.links(), before);
    assert.deepEqual(node.routes.of(SCOPE, "a")?.to, ["b", "d"]);
    assert.equal(node.told.at(-1)?.outcome, "failed");
  });

  test("a plan says what would change and changes nothing; who asks says why", async () => {
    await using store = await openMemory();
    await using node = await startWiring(store);
    for (const name of ["a", "b", "c", "d"]) node.registry.put(recordOf(name));
    assert.throws(() => node.wiring.plan(SCOPE, undefined), /has no topology/);
    const { steps } = node.wiring.plan(SCOPE, ring);
    assert.deepEqual(steps, [
      {
        act: "topology.rewire",
        object: `topology/${SCOPE}`,
        title: "wired 4 agents as a ring",
        because: "4 links added, 0 links removed",
      },
    ]);
    assert.deepEqual([node.wiring.list(), node.said], [[], []]);
    assert.equal(node.routes.of(SCOPE, "a"), undefined);
    await node.wiring.declare(SCOPE, ring, BY);
    assert.deepEqual(node.wiring.plan(SCOPE, ring).steps, []);
    const relaying = node.wiring.plan(SCOPE, { ...ring, relay: true });
    assert.equal(relaying.steps[0]?.because, "0 links added, 0 links removed");
    assert.equal(relaying.unchanged, 4);
    assert.equal(
      node.wiring.plan(SCOPE, undefined).steps[0]?.because,
      "4 links no longer bind anybody",
    );
    assert.equal(node.links().length, 4);
    await node.wiring.remove(SCOPE, BY);
    assert.deepEqual(
      node.told.map(({ act, actor, reason }) => [act, actor, reason]),
      ["topology.rewire", "topology.remove"].map((act) => [act, "uid 0", "fewer hops"]),
    );
  });

  test("a graph is measured when it has changed, not whenever somebody looks", async () => {
    await using store = await openMemory();
    await using node = await startWiring(store);
    for (const name of ["a", "b", "c", "d"]) node.registry.put(recordOf(name));
    const { metrics } = await node.wiring.declare(SCOPE, ring, BY);
    assert.equal(node.wiring.view(SCOPE).metrics, metrics);
    await node.see(() => node.registry.put(recordOf("e")));
    assert.equal(node.wiring.view(SCOPE).metrics.memberCount, 5);
  });

  test("a member that joins is held until it is wired, others and commands are not", async () => {
    await using store = await openMemory();
    await using node = await startWiring(store);
    const workers = TopologyDeclaration.parse({ kind: "ring", members: { names: ["w*"] } });
    for (const name of ["w1", "w2", "w3"]) node.registry.put(recordOf(name));
    await node.wiring.declare(SCOPE, workers, BY);
    await node.see(() => {
      node.registry.put(recordOf("w4"));
      node.registry.put(recordOf("boss"));
      node.registry.put(recordOf("w-cli", { tags: { face: "cli" } }));
      assert.ok(node.routes.isHeld(SCOPE, "w4"));
      assert.ok(!node.routes.isHeld(SCOPE, "boss"));
      assert.ok(!node.routes.isHeld(SCOPE, "w-cli"));
    });
    assert.ok(!node.routes.isHeld(SCOPE, "w4"));
    assert.equal(node.routes.of(SCOPE, "w4")?.to.length, 2);
  });

  test("a node that starts anew keeps the links, and wires nobody when all are back in time", async () => {
    await using store = await openMemory();
    const names = ["a", "b", "c", "d", "e"];
    let before: readonly string[];
    {
      await using node = await startWiring(store);
      node.registry.put(recordOf("d"));
      await node.wiring.declare(SCOPE, ring, BY);
      for (const name of ["b", "e", "a", "c"])
        await node.see(() => node.registry.put(recordOf(name)));
      before = node.links();
    }
    await using node = await startWiring(store);
    assert.deepEqual(node.routes.of(SCOPE, "a")?.members, names);
    for (const [i, name] of names.entries()) {
      assert.deepEqual(node.wiring.view(SCOPE).awaited, names.slice(i));
      node.registry.put(recordOf(name));
    }
    await node.clock.advance(REJOIN_MS);
    assert.deepEqual(node.links(), before);
    await node.see(() => node.registry.put(recordOf("f")));
    assert.deepEqual(
      node.told.map(({ inputs }) => [inputs["joined"], inputs["left"]]),
      [["f", "none"]],
    );
  });

  test("who is not back in time is gone, and one decision says so", async () => {
    await using store = await openMemory();
    {
      await using node = await startWiring(store);
      for (const name of ["a", "b", "c", "d"]) node.registry.put(recordOf(name));
      await node.wiring.declare(SCOPE, ring, BY);
    }
    await using node = await startWiring(store);
    for (const name of ["a", "c"]) node.registry.put(recordOf(name));
    await node.see(() => node.clock.advance(REJOIN_MS));
    assert.deepEqual(node.links(), ["ac"]);
    assert.deepEqual(node.wiring.view(SCOPE).awaited, []);
    assert.match(node.told[0]?.trigger.detail ?? "", /^b, d are gone: the ring closes$/);
    assert.equal(node.told.length, 1);
  });

  test("a wiring of the store that cannot be read is made anew", async () => {
    await using store = await openMemory();
    await store.transact([
      { kind: "put", key: `topology/${SCOPE}`, value: ring },
      { kind: "put", key: `wiring/${SCOPE}`, value: { members: [{ name: "A B" }], links: [7] } },
      { kind: "put", key: "topology/broken", value: { kind: "circle" } },
    ]);
    await using node = await startWiring(store);
    assert.deepEqual(node.wiring.list(), [SCOPE]);
    await node.see(() => node.registry.put(recordOf("a")));
    assert.deepEqual(node.wiring.view(SCOPE).graph.members, ["a"]);
  });
});
