// SPDX-License-Identifier: Apache-2.0
// After uninstall the host is as it was before: what Fairlead made is gone, what others made is there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { IMAGE } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `name: leave
services:
  app:
    image: ${IMAGE}
    stop_grace_period: 0s
    volumes: ["data:/data"]
volumes: { data: {} }
`;

describe("uninstall", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("removes all that a node has made, proves it, and leaves the rest alone", async () => {
    const { rig } = scenario;
    const own = {
      XDG_CACHE_HOME: join(rig.directory, "cache"),
      XDG_STATE_HOME: join(rig.directory, "home"),
    };
    const list = (): string[] =>
      readdirSync(rig.directory, { recursive: true, encoding: "utf8" })
        .filter((path) => !/^(cache|home|project)(\/|$)|witness/.test(path))
        .toSorted();
    const run = (args: readonly string[]) => rig.cli(args, { env: own });
    await scenario.up(scenario.file(FILE));
    const args = [
      "-H",
      rig.lab.endpoint,
      "run",
      "-d",
      "--name",
      "stranger",
      IMAGE,
      "sleep",
      "1000",
    ];
    assert.equal(spawnSync("docker", args).status, 0);
    writeFileSync(join(rig.directory, "state", "discovery-key"), "somebody else's key");
    assert.equal((await run(["services", "-A"])).code, 0);

    const rehearsed = await run(["uninstall", "--dry-run"]);
    assert.equal(rehearsed.code, 0, rehearsed.stderr);
    for (const name of [
      "state/token",
      "state/fabric-secret",
      "state/messages/log.db",
      "names.json",
    ])
      assert.ok(rehearsed.stdout.includes(name), name);
    assert.doesNotMatch(rehearsed.stdout, /discovery-key/);
    assert.equal((await scenario.instances("leave")).length, 1);
    const unsaid = await run(["uninstall"]);
    assert.equal(unsaid.code, 2, "nobody is there to ask");

    const { code, stderr } = await run([
      "uninstall",
      "--yes",
      "-v",
      "--reason",
      "the host is given away",
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^kept \S+discovery-key: Fairlead did not make it$/m);
    assert.match(stderr, /^proved: 0 scopes, 0 processes, 0 files left; 1 scope removed$/m);
    assert.deepEqual(list(), ["state", "state/discovery-key"]);
    assert.deepEqual(
      (await rig.engine.listInstances()).map(({ name }) => name),
      ["stranger"],
    );
    assert.deepEqual(await rig.engine.listVolumes(), []);
    assert.ok((await rig.engine.listNetworks()).every(({ name }) => !name.startsWith("leave")));
  });
});
