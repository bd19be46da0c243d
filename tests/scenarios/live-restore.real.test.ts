// SPDX-License-Identifier: Apache-2.0
// R12: an engine that leaves its containers running when it dies: the node finds them as they were, and touches none.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

/** How often the engine is killed. */
const ROUNDS = Number(process.env["FAIRLEAD_RESTARTS"] ?? 3);
const FILE = `
name: live
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    depends_on: { db: { condition: service_healthy, restart: true } }
    deploy: { replicas: 2 }
`;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario({ liveRestore: true });
  await scenario.up(scenario.file(FILE));
});
after(() => scenario?.[Symbol.asyncDispose]());

const isReachable = async (): Promise<boolean> =>
  (await scenario.rig.ask<NodeStatus>("status")).body.engine.reachable;

/** When a process began, in ticks since the host did: with its id it names one process for ever. */
function bornAt(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

async function listProcesses(): Promise<readonly (readonly [string, number, string])[]> {
  const listed = await scenario.instances("live");
  return Promise.all(
    listed.map(async ({ id }) => {
      const { State } = (await scenario.rig.engine.inspectRaw(id)) as { State: { Pid: number } };
      return [id, State.Pid, bornAt(State.Pid)] as const;
    }),
  );
}

it(`R12: dockerd killed ${ROUNDS} times under live-restore: seen again at once, no process restarted, nothing written`, async (t) => {
  const before = await listProcesses();
  assert.equal(before.length, 3);
  for (let round = 0; round < ROUNDS; round++) {
    scenario.proxy.forget();
    await scenario.rig.lab.kill();
    await until(
      "the node says that the engine is away",
      20_000,
      async () => !(await isReachable()),
    );
    for (const [, pid, born] of before) assert.equal(bornAt(pid), born);
    await scenario.rig.lab.start();
    const answersMs = performance.now();
    await until("the node sees it again", 30_000, isReachable);
    t.diagnostic(`seen again ${Math.round(performance.now() - answersMs)} ms after it answered`);
    await scenario.settled("live");
    assert.deepEqual(await listProcesses(), before);
    assert.deepEqual(scenario.proxy.writes(), []);
  }
  await scenario.rig.engine.killInstance(before[0]?.[0] ?? "", { decision: "test" });
  await until(
    "what is killed afterwards is healed as ever",
    20_000,
    async () => {
      const [db] = (await scenario.instances("live")).filter(({ service }) => service === "db");
      return db?.state === "running" && db.id === before[0]?.[0];
    },
    30,
  );
});
