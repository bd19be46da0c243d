// SPDX-License-Identifier: Apache-2.0
// C07: whoever deploys may be killed at any step; asked again, the scope is as the file says. What fails goes back.
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const KILLS = 8;
const compose = (version: number): string => `
name: cut
networks: { back: {} }
volumes: { data: {} }
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    networks: [back]
    volumes: ["data:/data"]
    healthcheck: { test: ["CMD", "true"], interval: 300ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    networks: [back]
    environment: { VERSION: "${version}" }
    depends_on: { db: { condition: service_healthy } }
    deploy: { replicas: 2, update_config: { monitor: 100ms } }
`;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario();
});
after(() => scenario?.[Symbol.asyncDispose]());

const sorted = async () =>
  (await scenario.instances("cut")).map(({ name, state }) => `${name} ${state}`);

it(`C07: the command line killed at ${KILLS} moments of up: asked again, nothing is missing, doubled or left over`, async () => {
  for (let round = 0; round < KILLS; round++) {
    const file = scenario.file(compose(round));
    const ended = new AbortController();
    const asked = scenario.rig.cli(["up", "-f", file], { signal: ended.signal });
    await sleep((round * 2_500) / KILLS);
    ended.abort();
    await asked;
    await scenario.up(file);
    assert.deepEqual(await sorted(), [
      "cut-db-1 running",
      "cut-web-1 running",
      "cut-web-2 running",
    ]);
    for (const { id } of (await scenario.instances("cut")).filter((i) => i.service === "web")) {
      const raw = (await scenario.rig.engine.inspectRaw(id)) as { Config: { Env: string[] } };
      assert.ok(raw.Config.Env.includes(`VERSION=${round}`), `round ${round}`);
    }
  }
  assert.equal((await scenario.rig.cli(["down", "--scope", "cut", "-v"])).code, 0);
  const names = [
    ...(await scenario.rig.engine.listNetworks()),
    ...(await scenario.rig.engine.listVolumes()),
  ].map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => name.startsWith("cut_")),
    [],
  );
});

it("C07: a change whose health check fails is taken back, and says why", async () => {
  const file = (check: string): string =>
    scenario.file(
      `
name: back
services:
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", ${check}], interval: 300ms, timeout: 5s, retries: 2 }
    deploy: { replicas: 2, update_config: { failure_action: rollback, order: start-first, monitor: 2s } }
`,
      "back.yaml",
    );
  await scenario.up(file('"true"'));
  const before = await scenario.instances("back");
  const change = await scenario.rig.cli(["up", "-f", file('"false"'), "--timeout", "60s"]);
  assert.notEqual(change.code, 0, change.stdout);
  await until(
    "the old configuration runs, and nothing else",
    60_000,
    async () => {
      const now = await scenario.instances("back");
      return (
        now.length === 2 &&
        now.every(({ hash, state }) => hash === before[0]?.hash && state === "running")
      );
    },
    50,
  );
  const { stdout } = await scenario.rig.cli(["why", "web", "--scope", "back"]);
  assert.match(stdout, /health check failed/);
  assert.match(stdout, /rolled web back/);
});
