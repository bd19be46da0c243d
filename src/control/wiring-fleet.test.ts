// SPDX-License-Identifier: Apache-2.0
// Agents of several nodes wired as one: hubs of a fleet, linked in memory, each with the wiring of a node.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { createLinkedParts, linkParts } from "@fairlead/fabric/testing/link-hubs.ts";
import { createTrafficLedger } from "@fairlead/fabric/traffic-ledger.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { recordOf, SCOPE } from "@fairlead/protocol/testing/record-of.ts";
import { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import { silentLogger } from "#base/logger.ts";
import type { Decision } from "#model/decision.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { computeRoutes } from "./compute-routes.ts";
import { createDecisionLog } from "./decision-log.ts";
import { createFellowNodes } from "./fleet/fellow-nodes.ts";
import { loadStamps, loadTopologies } from "./kept-topologies.ts";
import { createObservedBoard } from "./observed-board.ts";
import { createWiring } from "./wiring.ts";

const REJOIN_MS = 10_000;
const BY = { actor: "uid 0" };
const ring = TopologyDeclaration.parse({ kind: "ring" });
const names = ["a", "b", "c"];

/** Who of the fleet lives, as all nodes see it. */
function createRoll() {
  const states = new Map<string, NodeView["state"]>(names.map((name) => [name, "alive"]));
  const listeners = new Set<() => void>();
  return {
    set(name: string, state: NodeView["state"]): void {
      states.set(name, state);
      for (const listener of listeners) listener();
    },
    asSeenBy: (self: string) => ({
      list: () =>
        [...states].map(
          ([name, state]) => ({ id: name, name, state, self: name === self }) as NodeView,
        ),
      onLook(listener: () => void) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    }),
  };
}

async function startNode(name: string, roll: ReturnType<typeof createRoll>, store?: Store) {
  const clock = createManualClock();
  const own = store ?? (await openStore({ kind: "memory" }, { clock }));
  const kept = await loadTopologies(own, silentLogger);
  const stamps = await loadStamps(own);
  const linked = createLinkedParts(name);
  const { registry } = linked.hub;
  const routes = createRouteBoard();
  for (const [scope, { graph }] of kept) routes.set(scope, computeRoutes(graph));
  const decisions = createDecisionLog({
    store: own,
    clock,
    random: Math.random,
    logger: silentLogger,
  });
  const told: string[] = [];
  decisions.onDecision(
    ({ act, outcome, trigger }: Decision) =>
      void (outcome === "done" && told.push(`${act}: ${trigger.detail}`)),
  );
  const fabric = {
    registry,
    everyone: linked.directory,
    routes,
    traffic: createTrafficLedger(),
    list: registry.list,
  };
  const fellows = createFellowNodes({
    self: { id: name, name },
    nodes: linked.nodes,
    roll: roll.asSeenBy(name),
  });
  const wiring = createWiring({
    fabric,
    fellows,
    store: own,
    decisions,
    observed: createObservedBoard({ fabric, clock }),
    kept,
    stamps,
    clock,
    random: Math.random,
    logger: silentLogger,
    rejoinMs: REJOIN_MS,
  });
  const stopping = new AbortController();
  const running = wiring.run(stopping.signal);
  return {
    name,
    linked,
    wiring,
    routes,
    clock,
    told,
    store: own,
    join: (agent: string) => registry.put(recordOf(agent, { node: name })),
    links: () =>
      wiring
        .view(SCOPE)
        .graph.links.map(({ from, to }) => from + to)
        .join(" "),
    /** Ends it, its links first, as a process that is killed. */
    async stop(): Promise<void> {
      linked.nodes.close();
      stopping.abort();
      await running;
    },
  };
}

type Node = Awaited<ReturnType<typeof startNode>>;

/** Lets everything that is on its way arrive; throws after a while. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > 2_000) throw new Error("it did not come to that");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const has = (node: Node, links: string) => (): boolean =>
  node.wiring.list().includes(SCOPE) && node.links() === links;

/** Three nodes with an agent each, x on a, y on b, z on c, wired as a ring that c declared. */
async function startFleet(roll: ReturnType<typeof createRoll>): Promise<[Node, Node, Node]> {
  const [a, b, c] = await Promise.all(names.map((name) => startNode(name, roll)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  await Promise.all([
    linkParts(a.linked, b.linked),
    linkParts(a.linked, c.linked),
    linkParts(b.linked, c.linked),
  ]);
  a.join("x");
  b.join("y");
  c.join("z");
  await until(() => [a, b, c].every(({ linked }) => linked.directory.size === 3));
  await c.wiring.declare(SCOPE, ring, BY);
  for (const node of [a, b, c]) await until(has(node, "xy xz yz"));
  return [a, b, c];
}

describe("createWiring() in a fleet", () => {
  test("agents of all nodes are one ring, the same on each, whoever declared it; a removal holds on all", async () => {
    const [a, b, c] = await startFleet(createRoll());
    b.join("w");
    for (const node of [a, b, c]) await until(() => node.links().split(" ").length === 4);
    assert.deepEqual([a.links(), b.links()], [c.links(), c.links()]);
    assert.deepEqual(b.routes.of(SCOPE, "w"), a.routes.of(SCOPE, "w"));
    assert.deepEqual([a.told.length, b.told.length, c.told.length], [1, 0, 1], "one decision each");
    assert.match(a.told[0] ?? "", /w joined: the ring opens/);
    await b.wiring.remove(SCOPE, BY);
    for (const node of [a, b, c]) await until(() => node.wiring.list().length === 0);
    assert.equal(c.routes.of(SCOPE, "z"), undefined);
    for (const node of [a, b, c]) await node.stop();
  });

  test("one who joins where another node wires is held until it has been told", async () => {
    const [a, b, c] = await startFleet(createRoll());
    c.join("w");
    await until(() => c.routes.isHeld(SCOPE, "w"));
    await until(() => !c.routes.isHeld(SCOPE, "w"));
    assert.equal(c.routes.of(SCOPE, "w")?.to.length, 2);
    for (const node of [a, b, c]) await node.stop();
  });

  test("members of a node that was lost keep their places until it is gone, or for a moment; another wires then", async () => {
    const roll = createRoll();
    const [a, b, c] = await startFleet(roll);
    for (const agent of ["w", "v"]) {
      c.join(agent);
      await until(() => [a, b, c].every((node) => node.links().includes(agent)));
    }
    const before = b.links();
    await a.stop();
    await until(() => b.wiring.view(SCOPE).awaited.join() === "x");
    assert.equal(b.links(), before);
    roll.set("a", "gone");
    await until(() => !b.links().includes("x"));
    await until(has(c, b.links()));
    assert.match(b.told.at(-1) ?? "", /x is gone: the ring closes/);
    // c goes, and does not say why: its members are waited for.
    await c.stop();
    await until(() => b.wiring.view(SCOPE).awaited.length === 3);
    await b.clock.advance(REJOIN_MS);
    await until(has(b, ""));
    await b.stop();
  });

  test("a node that was away takes what is newer, also that a topology was removed", async () => {
    const roll = createRoll();
    const [a, b, c] = await startFleet(roll);
    await a.stop();
    await b.wiring.declare(SCOPE, TopologyDeclaration.parse({ kind: "star", hub: "y" }), BY);
    await until(() => c.links() === b.links());
    const back = await startNode("a", roll, a.store);
    assert.equal(back.wiring.view(SCOPE).graph.kind, "ring");
    back.join("x");
    await linkParts(back.linked, b.linked);
    await linkParts(back.linked, c.linked);
    for (const node of [back, b, c]) await until(has(node, "xy yz"));
    await back.stop();
    await c.wiring.remove(SCOPE, BY);
    const again = await startNode("a", roll, a.store);
    assert.deepEqual(again.wiring.list(), [SCOPE]);
    await linkParts(again.linked, b.linked);
    await until(() => again.wiring.list().length === 0);
    assert.deepEqual(
      [(await loadTopologies(a.store, silentLogger)).size, b.wiring.list()],
      [0, []],
    );
    for (const node of [again, b, c]) await node.stop();
  });

  test("parts of a fleet that was cut wire by themselves, and are one again", async () => {
    const [a, b, c] = await startFleet(createRoll());
    for (const pair of [
      [a, b],
      [a, c],
    ] as const)
      pair[0].linked.nodes.get(pair[1].name)?.close();
    a.join("v");
    b.join("w");
    await until(() => a.links().includes("v") && b.links().includes("w"));
    await until(has(c, b.links()));
    assert.ok(!b.links().includes("v"));
    await linkParts(a.linked, b.linked);
    await linkParts(a.linked, c.linked);
    for (const node of [a, b, c])
      await until(() => node.wiring.view(SCOPE).graph.members.join("") === "vwxyz");
    await until(has(b, a.links()));
    await until(has(c, a.links()));
    assert.equal(a.links().split(" ").length, 5);
    for (const node of [a, b, c]) await node.stop();
  });
});
