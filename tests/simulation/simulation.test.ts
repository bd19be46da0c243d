// SPDX-License-Identifier: Apache-2.0
// Short histories of a simulated fleet, many of them; `npm run sim` runs long ones and many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listFaults, listUnsettled } from "./invariants.ts";
import { runHistory } from "./run-history.ts";
import { createWorld } from "./world.ts";

const HISTORIES = Number(process.env["FAIRLEAD_HISTORIES"] ?? 40);

test("whatever befalls a fleet: who is heard is not gone, one leads, singletons run once, in peace all runs as assigned", async (t) => {
  let [virtualMs, events] = [0, 0];
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const options = { seed, steps: 2 + (seed % 5), nodes: 2 + (seed % 3) };
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
    await runHistory({ seed: 7, steps: 4, nodes: 3 }),
    await runHistory({ seed: 7, steps: 4, nodes: 3 }),
    await runHistory({ seed: 8, steps: 4, nodes: 3 }),
  ];
  assert.deepEqual(again, first);
  assert.notEqual(other.hash, first.hash);
});

test("what is wrong is seen: a node that ends without the world knowing, and one that is told apart", async () => {
  const world = createWorld(3, 3);
  await world.pass(4_000);
  await world.want(2);
  await world.pass(16_000);
  assert.deepEqual([...listFaults(world), ...(await listUnsettled(world))], []);
  // Whoever has the singleton ends, and the world thinks that it goes on.
  const holder = world.hosts.find(({ engine }) => engine.listRunning().includes("one/1"));
  holder?.node?.life.kill();
  await world.pass(40_000);
  const others = world.hosts.filter((host) => host !== holder).map(({ id }) => id);
  const faults = listFaults(world);
  for (const id of others)
    assert.ok(faults.includes(`${id} takes ${holder?.id} for gone, which it can hear`));
  assert.ok(
    faults.some((fault) => fault.startsWith("the singleton runs on ")),
    faults.join(),
  );
  const [cut = ""] = others;
  world.cut(cut, "store");
  await world.pass(20_000);
  assert.ok((await listUnsettled(world)).includes(`${cut}: the store does not answer`));
  for (const host of world.hosts) host.crash();
});
