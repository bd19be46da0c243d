// SPDX-License-Identifier: Apache-2.0
// Short histories of a simulated fleet, on all cores; `npm run sim` runs long ones and millions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listFaults, listUnsettled } from "./invariants.ts";
import { runHistory, type HistoryOptions } from "./run-history.ts";
import { describeRun, runMany, shapeHistory } from "./run-many.ts";
import { OLD_SEEDS } from "./seeds.ts";
import { createWorld } from "./world.ts";

const HISTORIES = Number(process.env["FAIRLEAD_HISTORIES"] ?? 10_000);
/** On a slow machine fewer are run: so many as there is time for. */
const BUDGET_MS = Number(process.env["FAIRLEAD_HISTORIES_MS"] ?? 200_000);

test("whatever befalls a fleet: who is heard is not gone, one leads, singletons run once, in peace all runs as assigned", async (t) => {
  function* list(): Generator<HistoryOptions> {
    for (let seed = 1; seed <= HISTORIES; seed++) yield shapeHistory(seed);
  }
  const broken: string[] = [];
  const { histories, virtualMs, events } = await runMany(list(), {
    signal: AbortSignal.timeout(BUDGET_MS),
    onBroken: (options, { faults }) => void broken.push(`${describeRun(options)}: ${faults[0]}`),
  });
  assert.deepEqual(broken, []);
  assert.ok(histories > 0);
  t.diagnostic(
    `${histories} histories, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${events} events`,
  );
});

for (const { was, ...options } of OLD_SEEDS)
  test(`seed ${options.seed} holds: ${was}`, async () => {
    const { faults } = await runHistory(options);
    assert.deepEqual(faults, [], describeRun(options));
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
  world.end();
});
