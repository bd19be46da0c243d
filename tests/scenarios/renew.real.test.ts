// SPDX-License-Identifier: Apache-2.0
// What a person asks to be renewed: each container that was there, once.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

describe("on request", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  const titles = async (): Promise<string[]> =>
    (await scenario.decisions("renew"))
      .filter(({ trigger }) => trigger.kind === "person")
      .map(({ title }) => title)
      .toSorted();

  it("each instance is restarted once, then recreated once, and one made since is left", async () => {
    const file = scenario.file(
      `name: renew
services:
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    deploy: { replicas: 2, update_config: { parallelism: 0, monitor: 100ms } }
`,
    );
    await scenario.up(file);
    const made = await scenario.instances("renew");
    const { code, stderr } = await scenario.rig.cli(["restart", "web", "--scope", "renew"]);
    assert.equal(code, 0, stderr);
    await until("both were restarted", 30_000, async () => (await titles()).length === 2);
    await scenario.settled("renew");
    const restarted = await scenario.instances("renew");
    assert.deepEqual(
      restarted.map(({ id }) => id),
      made.map(({ id }) => id),
    );
    for (const [index, one] of restarted.entries())
      assert.ok(one.startedAtMs > (made[index]?.startedAtMs ?? Infinity), one.name);
    assert.deepEqual(await titles(), ["restarted web-1", "restarted web-2"]);

    await scenario.up(file, ["--recreate"]);
    await scenario.settled("renew");
    const recreated = await scenario.instances("renew");
    assert.deepEqual(
      recreated.map(({ name }) => name),
      ["renew-web-1", "renew-web-2"],
    );
    const before = new Set(made.map(({ id }) => id));
    assert.ok(recreated.every(({ id }) => !before.has(id)));
    await scenario.rig.engine.removeInstance(recreated[0]?.id ?? "", {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await until("the lost one is there again", 30_000, async () => {
      const [first] = await scenario.instances("renew");
      return first?.state === "running" && first.id !== recreated[0]?.id;
    });
    await scenario.settled("renew");
    assert.deepEqual(await titles(), [
      "created the new web-1 beside the old",
      "created the new web-2 beside the old",
      "restarted web-1",
      "restarted web-2",
    ]);
  });
});
