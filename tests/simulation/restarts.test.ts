// SPDX-License-Identifier: Apache-2.0
// Nodes that are ended and started again, a host after the other, as when a fleet is upgraded: containers live on, the node
// takes them over, and nothing is begun, ended or moved, also where the store and all that a start does are slow.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listFaults, listUnsettled } from "./invariants.ts";
import { createWorld, type World } from "./world.ts";

const SEEDS = 3;
const START_MS = 4_000;
const LOOK_MS = 50;
const END_MAX_MS = 20_000;
const REST_MS = 40_000;
/** The most that one way of a call to the store takes. An end and a start need some ten each, one after the other. */
const SLOW_MS = 1_500;
/** Between the end of a node, which takes some seconds, and its next life: what an upgrade takes, and longer than a lease. */
const PAUSES_MS = [500, 4_000, 8_000] as const;

/** What was done on all engines, and where what runs was put. */
async function readActs({ hosts, store }: World): Promise<string> {
  const written = hosts.map(({ id, engine }) => `${id}: ${engine.writes.length} writes`);
  const { entries } = await store.list("assignments/");
  return [...written, ...entries.map(({ revision }) => `assigned at ${revision}`)].join(", ");
}

for (const pauseMs of PAUSES_MS)
  test(`nodes that are away for ${pauseMs} ms, one after the other, leave all as it is, a singleton too`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = createWorld(seed, 3);
      await world.pass(START_MS);
      await world.want(3);
      await world.pass(REST_MS);
      const before = await readActs(world);
      world.health.delayMsMax = SLOW_MS;
      for (const host of world.hosts) {
        host.end();
        const endMaxMs = world.timeline.nowMs + END_MAX_MS;
        while (host.isEnding && world.timeline.nowMs < endMaxMs) await world.pass(LOOK_MS);
        assert.ok(!host.isEnding, `${host.id} does not end`);
        await world.pass(pauseMs);
        host.start();
        await world.pass(REST_MS);
        assert.equal(await readActs(world), before, `seed ${seed}, after ${host.id}`);
      }
      world.mend();
      await world.pass(START_MS);
      assert.deepEqual([...listFaults(world), ...(await listUnsettled(world))], []);
      world.end();
    }
  });
