// SPDX-License-Identifier: Apache-2.0
// Images that are made anew, moved, fetched and lost: `up` rolls out what has changed, nothing else does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { importBusybox } from "#lab/images.ts";
import { startRegistry } from "#lab/registry.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const MOVING = "moving:1";

describe("images", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  /** Lets `reference` mean a new image whose containers run `command`. */
  const move = (reference: string, ...command: string[]): Promise<void> =>
    importBusybox(scenario.rig.lab, reference, command);
  const idsOf = async (scope: string): Promise<Record<string, string>> =>
    Object.fromEntries((await scenario.instances(scope)).map(({ name, id }) => [name, id]));
  const imagesOf = async (scope: string): Promise<string[]> =>
    (await scenario.instances(scope)).map(({ imageId }) => imageId);
  const docker = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(
      "docker",
      ["-H", scenario.rig.lab.endpoint, ...args],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  /** `up` of a file that is as wanted: the engine is asked for nothing. */
  async function upAgain(file: string, args: readonly string[] = []): Promise<void> {
    scenario.proxy.forget();
    await scenario.up(file, args);
    assert.deepEqual(scenario.proxy.writes(), []);
  }

  it("a moved tag is rolled out by the next up, and by nothing before it", async () => {
    await move(MOVING, "sleep", "1000001");
    const file = scenario.file(`name: moved
services:
  web:
    image: ${MOVING}
    stop_grace_period: 0s
    deploy: { replicas: 2, update_config: { monitor: 100ms } }
  rest: { image: ${IMAGE}, stop_grace_period: 0s }
`);
    await scenario.up(file);
    const first = await idsOf("moved");
    await upAgain(file);

    await move(MOVING, "sleep", "1000002");
    await scenario.rig.engine.killInstance(first["moved-web-1"] ?? "", { decision: "test" });
    await until("it was healed", 30_000, async () =>
      (await scenario.decisions("moved")).some((d) => d.act === "instance.start"),
    );
    await scenario.settled("moved");
    assert.deepEqual(await idsOf("moved"), first, "healing rolls nothing out");

    const now = docker("image", "inspect", "-f", "{{.Id}}", MOVING);
    scenario.proxy.forget();
    const { stdout } = await scenario.rig.cli(["plan", "-f", file]);
    assert.match(
      stdout,
      new RegExp(`image moving:1 is now ${now.slice(0, 19)}, this runs sha256:`),
    );
    assert.doesNotMatch(stdout, /rest/);
    assert.deepEqual(scenario.proxy.writes(), []);

    await scenario.up(file);
    const second = await idsOf("moved");
    assert.equal(second["moved-rest-1"], first["moved-rest-1"]);
    assert.deepEqual(Object.keys(second), Object.keys(first));
    for (const name of ["moved-web-1", "moved-web-2"]) assert.notEqual(second[name], first[name]);
    const images = new Set(await imagesOf("moved"));
    assert.ok(images.has(now) && images.size === 2);
    const [decision] = (await scenario.decisions("moved")).filter(
      (d) => d.title === "created the new web-1 beside the old",
    );
    assert.match(decision?.trigger.detail ?? "", /^image moving:1 is now /);
    await upAgain(file);

    docker("tag", MOVING, "moving:other");
    docker("tag", "moving:other", MOVING);
    await upAgain(file);
    docker("rmi", "-f", MOVING, "moving:other");
    await upAgain(file);
    assert.deepEqual(await idsOf("moved"), second, "an image that is gone changes nothing");
  });

  it("up --build recreates what was built anew, and not what came out of the cache", async () => {
    const folder = join(scenario.rig.directory, "project", "source");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "Dockerfile"), `FROM ${IMAGE}\nCOPY version /version\n`);
    writeFileSync(join(folder, "version"), "one");
    const file = scenario.file(
      `name: built
services:
  web: { build: ./source, stop_grace_period: 0s, deploy: { update_config: { monitor: 100ms } } }
`,
      "built.yaml",
    );
    await scenario.up(file);
    const first = await idsOf("built");
    await scenario.up(file, ["--build"]);
    assert.deepEqual(await idsOf("built"), first, "built from the same");
    writeFileSync(join(folder, "version"), "two");
    await scenario.up(file);
    assert.deepEqual(await idsOf("built"), first, "nothing was built");
    await scenario.up(file, ["--build"]);
    assert.notDeepEqual(await idsOf("built"), first);
    assert.equal(docker("exec", "built-web-1", "cat", "/version"), "two");
  });

  it("an image that does not come up is taken back to the one that ran", async () => {
    await move("shaky:1", "sleep", "1000003");
    const file = scenario.file(
      `name: shaky
services:
  web:
    image: shaky:1
    stop_grace_period: 0s
    restart: always
    deploy: { update_config: { order: stop-first, failure_action: rollback, monitor: 5s } }
`,
      "shaky.yaml",
    );
    await scenario.up(file);
    const [ran] = await imagesOf("shaky");
    await move("shaky:1", "sh", "-c", "exit 7");
    await scenario.up(file, [], 1);
    await until("it runs again", 60_000, async () => {
      const [web] = await scenario.instances("shaky");
      return web?.state === "running" && web.imageId === ran;
    });
    await move("shaky:1", "sleep", "1000004");
    await scenario.up(file);
    assert.notEqual((await imagesOf("shaky"))[0], ran);
  });

  it("an adopted container stays, until an up finds a changed image", async () => {
    await move("found:1", "sleep", "1000005");
    const file = scenario.file(
      `version: "3.8"\nservices:\n  app:\n    image: found:1\n    stop_grace_period: 1s\n`,
      "found.yaml",
    );
    const args = ["-H", scenario.rig.lab.endpoint, "-f", file, "-p", "found", "up", "-d"];
    const made = spawnSync("docker-compose", args, { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const first = await idsOf("found");
    await move("found:1", "sleep", "1000006");
    await upAgain(file, ["-p", "found"]);
    await upAgain(file, ["-p", "found"]);
    assert.deepEqual(await idsOf("found"), first);
    await move("found:1", "sleep", "1000007");
    await scenario.up(file, ["-p", "found"]);
    assert.notDeepEqual(await idsOf("found"), first);
  });

  it("pull_policy always fetches at each up and rolls out what is new, and nothing in between", async () => {
    await using registry = await startRegistry(scenario.rig.lab.netns);
    const image = `${registry.host}/team/app:1`;
    await registry.publish("1", ["sleep", "1000009"]);
    const file = scenario.file(
      `name: fetched
services:
  web: { image: "${image}", pull_policy: always, stop_grace_period: 0s, deploy: { update_config: { monitor: 100ms } } }
`,
      "fetched.yaml",
    );
    await scenario.up(file);
    const first = await idsOf("fetched");
    await scenario.up(file);
    assert.deepEqual(await idsOf("fetched"), first, "fetched the same");
    await registry.publish("1", ["sleep", "1000010"]);
    await scenario.rig.engine.killInstance(first["fetched-web-1"] ?? "", { decision: "test" });
    await scenario.settled("fetched");
    assert.deepEqual(await idsOf("fetched"), first);
    await scenario.up(file);
    assert.notDeepEqual(await idsOf("fetched"), first);
    assert.equal(
      docker("inspect", "-f", "{{json .Config.Cmd}}", "fetched-web-1"),
      '["sleep","1000010"]',
    );
  });

  it("pull_policy always asks the registry at each up, and runs what is there when none answers", async () => {
    await move("local:1", "sleep", "1000008");
    docker("tag", "local:1", "127.0.0.1:9/local:1");
    const file = scenario.file(
      `name: pulled
services:
  web: { image: "127.0.0.1:9/local:1", pull_policy: always, stop_grace_period: 0s }
`,
      "pulled.yaml",
    );
    const pulls = (): number =>
      scenario.proxy.writes().filter(({ path }) => path.includes("/images/create")).length;
    scenario.proxy.forget();
    const { stderr } = await scenario.up(file);
    assert.match(
      stderr,
      /could not pull 127\.0\.0\.1:9\/local:1, goes on with the one that is there/,
    );
    assert.equal(pulls(), 1);
    await scenario.up(file);
    assert.equal(pulls(), 2);
    const [web] = await scenario.instances("pulled");
    await scenario.rig.engine.removeInstance(web?.id ?? "", {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await until("it is made again", 30_000, async () => {
      const [again] = await scenario.instances("pulled");
      return again?.state === "running" && again.id !== web?.id;
    });
    assert.equal(pulls(), 2, "healing fetches nothing");
    const failed = (await scenario.decisions("pulled")).filter((d) => d.act === "image.pull");
    assert.deepEqual(
      failed.map(({ outcome, rule }) => [outcome, rule.text, rule.at?.line]),
      [
        ["failed", "pull_policy: always", 3],
        ["failed", "pull_policy: always", 3],
      ],
    );
  });
});
