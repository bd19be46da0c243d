// SPDX-License-Identifier: Apache-2.0
// The node is killed with -9 at random moments of up, heal and down. Afterwards the intent holds, nothing is there twice,
// nothing is left over, and every write to the engine has its decision. FAIRLEAD_CRASHES sets how often (default 12).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IMAGE, until } from "#lab/rig.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import type { Intent } from "#model/intent.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const CRASHES = Number(process.env["FAIRLEAD_CRASHES"] ?? 12);
const SEED = Number(process.env["FAIRLEAD_SEED"] ?? 20_261_123);

function compose(version: number): string {
  return `
name: crash
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    volumes: ["data:/data"]
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    environment: { VERSION: "${version}" }
    depends_on: { db: { condition: service_healthy } }
    deploy: { replicas: 3, update_config: { parallelism: 2, monitor: 200ms } }
  side:
    image: ${IMAGE}
    stop_grace_period: 0s
    network_mode: "service:db"
volumes: { data: {} }
`;
}

describe(`kill -9 at ${CRASHES} moments, seed ${SEED}`, () => {
  let scenario: Scenario;
  const random = createSeededRandom(SEED);
  let version = 0;

  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  async function crashAfter(delayMs: number): Promise<void> {
    await sleep(delayMs);
    await scenario.rig.endNode("SIGKILL");
    await scenario.rig.startNode();
  }

  /** Every container once, of the wanted configuration, running; no network or volume twice. */
  async function expectIntent(): Promise<void> {
    await until(
      "the node manages the scope",
      30_000,
      async () => (await scenario.rig.ask<ScopeView>("scopes/crash")).status === 200,
    );
    await scenario.settled("crash", 90_000);
    const instances = await scenario.instances("crash");
    const names = instances.map((instance) => instance.name);
    assert.deepEqual(names, [
      "crash-db-1",
      "crash-side-1",
      "crash-web-1",
      "crash-web-2",
      "crash-web-3",
    ]);
    assert.ok(
      instances.every((instance) => instance.state === "running"),
      JSON.stringify(instances.map((i) => [i.name, i.state])),
    );
    const { body } = await scenario.rig.ask<Intent>("scopes/crash/intent");
    for (const service of body.services) {
      const hashes = instances
        .filter((instance) => instance.service === service.name)
        .map((instance) => instance.hash);
      assert.ok(
        hashes.every((hash) => hash === service.hash),
        `${service.name} has what is wanted`,
      );
    }
    const db = instances.find((instance) => instance.service === "db");
    assert.equal(instances.find((instance) => instance.service === "side")?.networkFrom, db?.id);
    const networks = (await scenario.rig.engine.listNetworks()).filter((network) =>
      network.name.startsWith("crash_"),
    );
    assert.equal(networks.length, 1);
  }

  async function expectNothing(): Promise<void> {
    await until(
      "the scope is gone",
      60_000,
      async () => (await scenario.rig.ask("scopes/crash")).status === 404,
      50,
    );
    assert.deepEqual(await scenario.instances("crash"), []);
    const networks = (await scenario.rig.engine.listNetworks()).filter((network) =>
      network.name.startsWith("crash_"),
    );
    const volumes = (await scenario.rig.engine.listVolumes()).filter((volume) =>
      volume.name.startsWith("crash_"),
    );
    assert.deepEqual([networks, volumes], [[], []]);
  }

  async function expectDecisions(): Promise<void> {
    const writes = scenario.proxy.writes();
    const ids = new Set(writes.map((write) => write.decision));
    for (const id of ids) {
      assert.ok(id !== undefined, "every write names a decision");
      assert.equal((await scenario.rig.ask(`decisions/${id}`)).status, 200, `${id} is known`);
    }
    scenario.proxy.forget();
  }

  it("during up, change, heal and down", { timeout: 1_800_000 }, async () => {
    for (let round = 0; round < CRASHES; round++) {
      const kind = round % 4;
      if (kind === 0) {
        await scenario.rig.cli(["up", "-f", scenario.file(compose(++version)), "-d"]);
        await crashAfter(random() * 2_500);
        await expectIntent();
      } else if (kind === 1) {
        await scenario.rig.cli(["up", "-f", scenario.file(compose(++version)), "-d"]);
        await crashAfter(random() * 3_000);
        await expectIntent();
      } else if (kind === 2) {
        for (const name of ["crash-db-1", "crash-web-2"])
          await scenario.rig.engine.killInstance(name, { decision: "test" });
        await scenario.rig.engine.removeInstance("crash-web-1", {
          decision: "test",
          force: true,
          anonymousVolumes: true,
        });
        await crashAfter(random() * 1_200);
        await expectIntent();
      } else {
        await scenario.rig.ask("scopes/crash", { method: "DELETE", body: { volumes: true } });
        await crashAfter(random() * 1_500);
        await expectNothing();
      }
      await expectDecisions();
    }
  });
});
