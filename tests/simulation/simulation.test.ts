// SPDX-License-Identifier: Apache-2.0
// A few hundred short histories of a simulated fleet; `npm run sim` runs long ones and many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listFaults, listUnsettled } from "./invariants.ts";
import { runHistory } from "./run-history.ts";
import { createWorld } from "./world.ts";

const HISTORIES = Number(process.env["FAIRLEAD_HISTORIES"] ?? 200);

test("whatever befalls a fleet, nobody it hears is gone, and in peace all see the same", async (t) => {
  let [virtualMs, events] = [0, 0];
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const options = { seed, steps: 3 + (seed % 5), nodes: 2 + (seed % 4) };
    const history = await runHistory(options);
    assert.deepEqual(
      history.faults,
      [],
      `npm run sim -- --seed ${seed} --steps ${options.steps} --nodes ${options.nodes}`,
    );
    virtualMs += history.virtualMs;
    events += history.events;
  }
  t.diagnostic(
    `${HISTORIES} histories, ${(virtualMs / 60_000).toFixed(0)} virtual minutes, ${events} events`,
  );
});

test("a seed gives the same history to the last event, and another one another", async () => {
  const [first, again, other] = [
    await runHistory({ seed: 7, steps: 10, nodes: 4 }),
    await runHistory({ seed: 7, steps: 10, nodes: 4 }),
    await runHistory({ seed: 8, steps: 10, nodes: 4 }),
  ];
  assert.deepEqual(again, first);
  assert.notEqual(other.hash, first.hash);
});

test("what is wrong is seen: a node that ends without the world knowing, and one that is told apart", async () => {
  const world = createWorld(3, 3);
  await world.pass(20_000);
  assert.deepEqual([...listFaults(world), ...(await listUnsettled(world))], []);
  world.hosts[1]?.node?.life.kill();
  await world.pass(20_000);
  assert.deepEqual(listFaults(world), [
    "n0 takes n1 for gone, which it can hear",
    "n2 takes n1 for gone, which it can hear",
  ]);
  world.cut("n0", "store");
  await world.pass(20_000);
  assert.ok((await listUnsettled(world)).includes("n0: the store does not answer"));
  for (const host of world.hosts) host.crash();
});
