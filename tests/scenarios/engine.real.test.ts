// SPDX-License-Identifier: Apache-2.0
// The engine ends, hangs and comes back; the node stays, says so, and puts everything right.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

/** How long the engine hangs; 30 for the row. */
const HUNG_S = Number(process.env["FAIRLEAD_HUNG_S"] ?? 12);
/** Far above what is measured: a node that waits for the engine would take 30 s and more. */
const ANSWER_MAX_MS = 5_000;
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

  it(`R13: hung for ${HUNG_S} s: that is shown, the node answers all along, refuses what it cannot plan, and goes on when it wakes`, async (t) => {
    const three = scenario.file(FILE.replace("replicas: 2", "replicas: 3"), "three.yaml");
    const pausedMs = performance.now();
    scenario.rig.lab.pause();
    try {
      await until(
        "the host is shown as degraded",
        10_000,
        async () => !(await status()).engine.reachable,
      );
      const shownMs = Math.round(performance.now() - pausedMs);
      t.diagnostic(`shown after ${shownMs} ms`);
      const said = await scenario.rig.cli(["status"]);
      assert.equal(said.code, 3, said.stdout);
      assert.match(said.stdout, /EngineUnreachable/);
      const refused = await scenario.rig.cli(["up", "-f", three, "--timeout", "2s"]);
      assert.equal(refused.code, 3, refused.stderr);
      assert.match(refused.stderr, /engine/);
      const { code, stdout } = await scenario.rig.cli(["ps", "--scope", "eng"]);
      assert.ok(code === 0 || code === 3, stdout);
      const answersMs: number[] = [];
      while (performance.now() - pausedMs < HUNG_S * 1_000) {
        for (const path of ["status", "agents", "decisions?limit=5", "scopes/eng"]) {
          const askedMs = performance.now();
          assert.equal((await scenario.rig.ask(path)).status, 200, path);
          answersMs.push(performance.now() - askedMs);
        }
        await sleep(50);
      }
      const longestMs = Math.max(...answersMs);
      assert.ok(longestMs < ANSWER_MAX_MS, `${longestMs} ms`);
      t.diagnostic(`${answersMs.length} answers meanwhile, longest ${longestMs.toFixed(0)} ms`);
    } finally {
      scenario.rig.lab.resume();
    }
    await until("the node sees it again", 10_000, async () => (await status()).engine.reachable);
    await scenario.up(three);
    assert.equal(
      (await scenario.instances("eng")).filter((instance) => instance.service === "web").length,
      3,
    );
    assert.deepEqual((await status()).alerts, []);
  });

  it("one container that it cannot describe hides no other, and is named", async () => {
    const { proxy, rig } = scenario;
    const [stuck, other] = (await scenario.instances("eng")).filter((i) => i.service === "web");
    assert.ok(stuck !== undefined && other !== undefined);
    proxy.hang((seen) => seen.path.includes(`/containers/${stuck.id}/json`));
    try {
      await rig.engine.killInstance(stuck.id, { decision: "test" });
      await rig.engine.killInstance(other.id, { decision: "test" });
      await until(
        "the other runs again",
        20_000,
        async () => (await rig.engine.inspectInstance(other.id))?.state === "running",
      );
      await until("it is named", 20_000, async () =>
        (await status()).alerts.some(
          ({ name, message }) => name === "ContainerUnreadable" && message.includes(stuck.name),
        ),
      );
      assert.equal((await status()).engine.reachable, true);
    } finally {
      proxy.release();
    }
    await until(
      "it runs again too, and nothing is said any more",
      30_000,
      async () =>
        (await rig.engine.inspectInstance(stuck.id))?.state === "running" &&
        (await status()).alerts.length === 0,
    );
  });
});
