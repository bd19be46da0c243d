// SPDX-License-Identifier: Apache-2.0
// The engine ends, hangs and comes back; the node stays, says so, and puts everything right.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `
name: eng
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    depends_on: { db: { condition: service_healthy } }
    deploy: { replicas: 2 }
`;

describe("an engine that is not reliable", () => {
  let scenario: Scenario;
  const status = async (): Promise<NodeStatus> =>
    (await scenario.rig.ask<NodeStatus>("status")).body;
  before(async () => {
    scenario = await openScenario();
    await scenario.up(scenario.file(FILE));
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("killed and started again: everything runs again, nothing twice, no budget is spent", async () => {
    const before = (await scenario.instances("eng")).map((instance) => instance.id);
    await scenario.rig.lab.kill();
    await until(
      "the node says that the engine is away",
      20_000,
      async () => !(await status()).engine.reachable,
    );
    assert.ok(
      (await status()).alerts.some((alert) => alert.name === "EngineUnreachable") ||
        (await status()).engine.problem !== undefined,
    );
    await scenario.rig.lab.start();
    await until("the node sees it again", 30_000, async () => (await status()).engine.reachable);
    await scenario.settled("eng");
    const now = await scenario.instances("eng");
    assert.deepEqual(
      now.map((instance) => instance.id),
      before,
    );
    assert.ok(now.every((instance) => instance.state === "running"));
    const counted = (await scenario.decisions("eng")).filter((d) => d.budget !== undefined);
    assert.deepEqual(
      counted.map((d) => [d.title, d.trigger, d.before]),
      [],
    );
  });

  it("hung: the node answers, says that it does not know, and goes on when it wakes", async () => {
    scenario.rig.lab.pause();
    try {
      const answer = await scenario.rig.cli([
        "up",
        "-f",
        scenario.file(FILE.replace("replicas: 2", "replicas: 3")),
        "--timeout",
        "3s",
      ]);
      assert.notEqual(answer.code, 0);
      assert.equal((await status()).node.length > 0, true);
      const { code, stdout } = await scenario.rig.cli(["ps", "--scope", "eng"]);
      assert.ok(code === 0 || code === 3, stdout);
    } finally {
      scenario.rig.lab.resume();
    }
    await until(
      "all three run",
      60_000,
      async () => {
        const view = await scenario.service("eng", "web").catch(() => undefined);
        return view?.wanted === 3 && view.healthy === 3;
      },
      50,
    );
    assert.equal(
      (await scenario.instances("eng")).filter((instance) => instance.service === "web").length,
      3,
    );
  });
});
