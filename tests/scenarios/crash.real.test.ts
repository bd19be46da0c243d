// SPDX-License-Identifier: Apache-2.0
// The node is killed with -9 at random moments of up, heal and down. Afterwards the intent holds, nothing is there twice,
// nothing is left over or half made, and every write to the engine has its decision, which has an end. FAIRLEAD_CRASHES
// sets how often (default 8).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { IMAGE, until } from "#lab/rig.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Intent } from "#model/intent.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const CRASHES = Number(process.env["FAIRLEAD_CRASHES"] ?? 8);
const SEED = Number(process.env["FAIRLEAD_SEED"] ?? 20_261_123);

function compose(version: number): string {
  return `
name: crash
networks: { front: {}, back: {} }
volumes: { data: {} }
configs: { version: { content: "version ${version}" } }
secrets: { key: { environment: CRASH_KEY } }
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    networks: [back, front]
    volumes: ["data:/data"]
    secrets: [key]
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    networks: [front, back]
    configs: [version]
    depends_on: { db: { condition: service_healthy } }
    deploy: { replicas: 3, update_config: { parallelism: 2, monitor: 200ms } }
  side:
    image: ${IMAGE}
    stop_grace_period: 0s
    network_mode: "service:db"
`;
}

const KEY = "a key from the environment";
const NETWORKS = ["crash_back", "crash_front"];

describe(`kill -9 at ${CRASHES} moments, seed ${SEED}`, () => {
  let scenario: Scenario;
  const random = createSeededRandom(SEED);
  let version = 0;

  before(async () => {
    scenario = await openScenario({ env: { CRASH_KEY: KEY } });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

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
    assert.equal((await scenario.rig.engine.listInstances()).length, instances.length);
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
    for (const instance of instances.filter(({ service }) => service !== "side"))
      await expectWhole(instance);
    assert.deepEqual(await listResources(), [NETWORKS, ["crash_data"]]);
  }

  /** On both of its networks, and with its secret or its configuration in it. */
  async function expectWhole(instance: InstanceFact): Promise<void> {
    const { id, name, addresses } = instance;
    assert.deepEqual(Object.keys(addresses).sort(), NETWORKS, name);
    assert.ok(!Object.values(addresses).includes(""), `${name} has its addresses`);
    const [path, content] =
      instance.service === "db" ? ["/run/secrets/key", KEY] : ["/version", `version ${version}`];
    const { stdout } = await scenario.rig.engine.exec(id, ["cat", path], { decision: "test" });
    assert.equal(stdout, content, `${name} has ${path}`);
  }

  /** Networks of the scope, and all volumes that the engine has. */
  async function listResources(): Promise<readonly (readonly string[])[]> {
    const networks = await scenario.rig.engine.listNetworks();
    const volumes = await scenario.rig.engine.listVolumes();
    const names = networks.map(({ name }) => name).filter((name) => name.startsWith("crash_"));
    return [names.sort(), volumes.map(({ name }) => name).sort()];
  }

  async function expectNothing(): Promise<void> {
    await until(
      "the scope is gone",
      60_000,
      async () => (await scenario.rig.ask("scopes/crash")).status === 404,
      50,
    );
    assert.deepEqual(await scenario.rig.engine.listInstances(), []);
    assert.deepEqual(await listResources(), [[], []]);
  }

  async function expectDecisions(): Promise<void> {
    const writes = scenario.proxy.writes();
    const ids = new Set(writes.map((write) => write.decision));
    for (const id of ids) {
      assert.ok(id !== undefined, "every write names a decision");
      assert.equal((await scenario.rig.ask(`decisions/${id}`)).status, 200, `${id} is known`);
    }
    scenario.proxy.forget();
    // What a killed node left open is closed by the next; what that one does comes to an end.
    await until("no decision is pending", 30_000, async () => (await ask("pending")).length === 0);
    for (const { id, finishedAtMs, durationMs } of await ask("interrupted"))
      assert.ok(finishedAtMs !== undefined && durationMs !== undefined, `${id} has an end`);
  }

  async function ask(outcome: Decision["outcome"]): Promise<readonly Decision[]> {
    const path = `decisions?scope=crash&outcome=${outcome}&limit=500`;
    return (await scenario.rig.ask<{ items: readonly Decision[] }>(path)).body.items;
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
