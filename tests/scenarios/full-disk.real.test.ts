// SPDX-License-Identifier: Apache-2.0
// The disk of the node's state is full: that is said, containers are healed all the same, and nothing is lost when there
// is room again.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { createSmallDisk, type SmallDisk } from "#lab/disk.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `name: full\nservices:\n  app:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n`;

describe("a full disk", () => {
  let scenario: Scenario;
  let disk: SmallDisk;
  const status = async (): Promise<NodeStatus> =>
    (await scenario.rig.ask<NodeStatus>("status")).body;
  before(async () => {
    disk = createSmallDisk({ sizeBytes: 6 * 1024 * 1024 });
    scenario = await openScenario({ stateDir: join(disk.path, "state") });
    await scenario.up(scenario.file(FILE));
  });
  after(async () => {
    await scenario[Symbol.asyncDispose]();
    disk[Symbol.dispose]();
  });

  it("R14: does not stop healing, and is shown", async () => {
    const before = await scenario.rig.engine.inspectInstance("full-app-1");
    assert.ok(before !== undefined);
    disk.fill();
    for (let kill = 0; kill < 3; kill++) {
      const started = (await scenario.rig.engine.inspectInstance(before.id))?.startedAtMs ?? 0;
      await scenario.rig.engine.killInstance(before.id, { decision: "test" });
      await until("it runs again", 30_000, async () => {
        const now = await scenario.rig.engine.inspectInstance(before.id);
        return now?.state === "running" && now.startedAtMs > started;
      });
    }
    await until("the full disk is shown", 20_000, async () => !(await status()).store.writable, 50);
    assert.ok((await status()).alerts.some((alert) => alert.name === "StoreFull"));
    const refused = await scenario.rig.cli(["up", "-f", scenario.file(FILE.replace("0s", "1s"))]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /FL0402|FL1601/);
  });

  it("R14: loses no decision once there is room, without a restart", async (t) => {
    const freeMs = performance.now();
    disk.free();
    await until("the store takes writes", 60_000, async () => (await status()).store.writable, 20);
    t.diagnostic(`takes writes ${Math.round(performance.now() - freeMs)} ms after there is room`);
    await until(
      "the decisions of the time without room are there",
      20_000,
      async () => {
        const healed = (await scenario.decisions("full")).filter(
          (d) => d.trigger.kind === "exit" && d.outcome === "done",
        );
        return healed.length === 3;
      },
      50,
    );
    await scenario.up(scenario.file(FILE));
  });
});
