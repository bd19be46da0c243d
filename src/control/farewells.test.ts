// SPDX-License-Identifier: Apache-2.0
// Three nodes of a fleet, linked in memory, one of which stops an instance.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLinkedParts, linkParts } from "@fairlead/fabric/testing/link-hubs.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { buildInstance } from "#brain/testing/builders.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import type { BoardChange } from "./facts-board.ts";
import { createFarewells } from "./farewells.ts";

const NAMES = ["a", "b", "c"];
const web = buildInstance({ id: "web-1", scope: "shop" });

async function startFleet() {
  const clock = createManualClock();
  const states = new Map<string, NodeView["state"]>(NAMES.map((name) => [name, "alive"]));
  const lookers = new Set<() => void>();
  const stop = new AbortController();
  const nodes = NAMES.map((name) => {
    const linked = createLinkedParts(name);
    const lookAtBoard = new Set<(change: BoardChange) => void>();
    let instances: readonly InstanceFact[] = [web];
    const roll = {
      list: () =>
        [...states].map(([id, state]) => ({ id, name: id, state, self: id === name }) as NodeView),
      onLook(listener: () => void) {
        lookers.add(listener);
        return () => void lookers.delete(listener);
      },
    };
    const farewells = createFarewells({
      board: {
        read: () => ({ instances }) as Facts,
        onChange(listener) {
          lookAtBoard.add(listener);
          return () => void lookAtBoard.delete(listener);
        },
      },
      fleet: { self: name, nodes: linked.nodes, roll },
      life: `life of ${name}`,
      clock,
    });
    const settled = { calls: 0, gate: Promise.resolve() };
    farewells.heed(async () => {
      settled.calls++;
      await settled.gate;
    });
    void farewells.run(stop.signal);
    return {
      farewells,
      linked,
      settled,
      see(state: InstanceFact["state"]) {
        instances = [{ ...web, state }];
        for (const listener of lookAtBoard) listener({ scopes: undefined, event: undefined });
      },
    };
  });
  const [a, b, c] = nodes;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  for (const [one, other] of [
    [a, b],
    [a, c],
    [b, c],
  ] as const)
    await linkParts(one.linked, other.linked);
  return {
    a,
    b,
    c,
    clock,
    setState(name: string, state: NodeView["state"]) {
      states.set(name, state);
      for (const look of lookers) look();
    },
    [Symbol.dispose]() {
      stop.abort();
      for (const { linked } of nodes) linked.nodes.close();
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

/** Turns of the event loop in which nothing is to happen. */
async function pause(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

test("a stop waits until no host sends anything there, and those are told until it is over", async () => {
  using fleet = await startFleet();
  const { a, b, c, clock } = fleet;
  const gate = Promise.withResolvers<void>();
  c.settled.gate = gate.promise;
  let isParted = false;
  const parting = a.farewells.part(web).finally(() => (isParted = true));
  assert.equal(a.farewells.has("web-1"), true);
  await until(() => b.farewells.has("web-1") && c.settled.calls > 0);
  await pause();
  assert.equal(isParted, false, "one of them still sends there");
  gate.resolve();
  const parted = await parting;
  assert.deepEqual([a.settled.calls, b.settled.calls, c.settled.calls], [1, 1, 1]);

  a.see("exited");
  parted[Symbol.dispose]();
  await pause();
  assert.equal(a.farewells.has("web-1"), false);
  assert.equal(b.farewells.has("web-1"), true, "the store may not have said yet that it is gone");
  await clock.advance(10_000);
  await until(() => !b.farewells.has("web-1") && !c.farewells.has("web-1"));
});

test("one that runs again takes what comes, at once", async () => {
  using fleet = await startFleet();
  const { a, b } = fleet;
  const parted = await a.farewells.part(web);
  a.see("exited");
  parted[Symbol.dispose]();
  await pause();
  assert.equal(b.farewells.has("web-1"), true);
  a.see("running");
  await until(() => !b.farewells.has("web-1"));
});

test("a host that may be lost is not waited for, one that says nothing for two seconds", async () => {
  using fleet = await startFleet();
  const { a, c, clock } = fleet;
  c.settled.gate = new Promise(() => undefined);
  let isParted = false;
  const parting = a.farewells.part(web).then((parted) => {
    isParted = true;
    parted[Symbol.dispose]();
  });
  await until(() => c.settled.calls > 0);
  await clock.advance(1_900);
  await pause();
  assert.equal(isParted, false);
  await clock.advance(200);
  await parting;
  fleet.setState("c", "suspect");
  const again = await a.farewells.part(web);
  again[Symbol.dispose]();
});

test("what a node said that is gone holds no more", async () => {
  using fleet = await startFleet();
  const { a, b } = fleet;
  using _parted = await a.farewells.part(web);
  assert.equal(b.farewells.has("web-1"), true);
  fleet.setState("a", "gone");
  assert.equal(b.farewells.has("web-1"), false);
});
