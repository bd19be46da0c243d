// SPDX-License-Identifier: Apache-2.0
// Files change, containers were there before, owners end: what is touched is what has to be, and nothing else.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

function compose(web: string, extra = ""): string {
  return `
name: change
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    command: ${web}
    depends_on: { db: { condition: service_healthy, restart: true } }
    deploy: { replicas: 2, update_config: { parallelism: 1, monitor: 500ms } }
  tail:
    image: ${IMAGE}
    stop_grace_period: 0s
    network_mode: "service:db"
${extra}`;
}
const SLEEP = '["sleep", "100000"]';

describe("changes", () => {
  let scenario: Scenario;
  const idOf = async (name: string): Promise<string | undefined> =>
    (await scenario.rig.engine.inspectInstance(name))?.id;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("recreate only what changed, side by side", async () => {
    await scenario.up(scenario.file(compose(SLEEP)));
    const [db, tail, web] = [
      await idOf("change-db-1"),
      await idOf("change-tail-1"),
      await idOf("change-web-1"),
    ];
    await scenario.up(scenario.file(compose('["sleep", "99999"]')));
    assert.deepEqual([await idOf("change-db-1"), await idOf("change-tail-1")], [db, tail]);
    assert.notEqual(await idOf("change-web-1"), web);
    const acts = (await scenario.decisions("change")).filter(
      (d) => d.service === "web" && d.trigger.kind === "change",
    );
    assert.ok(acts.some((decision) => decision.title === "created the new web-1 beside the old"));
    assert.deepEqual(
      (await scenario.instances("change")).map((i) => i.name),
      ["change-db-1", "change-tail-1", "change-web-1", "change-web-2"],
    );
  });

  it("of numbers alone touch no other instance, and end with the file's", async () => {
    const names = async (): Promise<readonly string[]> =>
      (await scenario.instances("change")).map(({ name }) => name).filter((n) => n.includes("web"));
    const first = await idOf("change-web-1");
    const scale = (...words: string[]) =>
      scenario.rig.cli(["scale", ...words, "--scope", "change"]);
    const up = await scale("web=3", "--reason", "a sale");
    assert.equal(up.code, 0, up.stderr);
    assert.deepEqual(await names(), ["change-web-1", "change-web-2", "change-web-3"]);
    const rehearsed = await scale("web=0", "--dry-run");
    assert.match(rehearsed.stdout, /web-3/);
    // Only one scope has it.
    const down = await scenario.rig.cli(["scale", "web=1"]);
    assert.equal(down.code, 0, down.stderr);
    assert.deepEqual(await names(), ["change-web-1"]);
    assert.equal(await idOf("change-web-1"), first);
    const unknown = await scale("wbe=2");
    assert.equal(unknown.code, 2, unknown.stderr);
    assert.match(unknown.stderr, /FL0701[^]*did you mean "web"/);
    await scenario.up(scenario.file(compose('["sleep", "99999"]')));
    assert.deepEqual(await names(), ["change-web-1", "change-web-2"]);
  });

  it("that do not come up leave the old ones running and say why", async () => {
    const before = (await scenario.instances("change")).map((instance) => instance.id);
    const result = await scenario.up(
      scenario.file(compose('["sh", "-c", "echo no such table; exit 4"]')),
      [],
      1,
    );
    assert.match(result.stdout + result.stderr, /code 4/);
    assert.deepEqual(
      (await scenario.instances("change")).map((instance) => instance.id),
      before,
    );
    assert.ok(
      (await scenario.instances("change")).every((instance) => instance.state === "running"),
    );
    const { body } = await scenario.rig.ask<{ items: { name: string }[] }>("alerts");
    assert.ok(body.items.some((alert) => alert.name === "RolloutFailed"));
    await scenario.up(scenario.file(compose('["sleep", "99999"]')));
  });

  it("restart dependants that asked for it, and attach anew what shares a namespace", async () => {
    const [web, tail, db] = [
      await idOf("change-web-1"),
      await idOf("change-tail-1"),
      await idOf("change-db-1"),
    ];
    const webStarted =
      (await scenario.rig.engine.inspectInstance("change-web-1"))?.startedAtMs ?? 0;
    await scenario.rig.engine.removeInstance("change-db-1", {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await until(
      "tail shares the new namespace",
      60_000,
      async () => {
        const now = await scenario.rig.engine.inspectInstance("change-tail-1");
        const holder = await idOf("change-db-1");
        return (
          now?.state === "running" &&
          holder !== undefined &&
          holder !== db &&
          now.networkFrom === holder
        );
      },
      50,
    );
    assert.notEqual(await idOf("change-tail-1"), tail);
    await until(
      "web was restarted",
      60_000,
      async () =>
        ((await scenario.rig.engine.inspectInstance("change-web-1"))?.startedAtMs ?? 0) >
        webStarted,
      50,
    );
    assert.equal(await idOf("change-web-1"), web);
    await scenario.settled("change");
  });

  it("down removes what up made and nothing else; volumes only with -v", async () => {
    const docker = (...args: string[]) =>
      spawnSync("docker", ["-H", scenario.rig.lab.endpoint, ...args], { encoding: "utf8" });
    docker("run", "-d", "--name", "stranger", IMAGE);
    await scenario.up(
      scenario.file(
        compose(
          SLEEP,
          '  keeper: { image: busybox:lab, stop_grace_period: 0s, volumes: ["kept:/data"] }\nvolumes: { kept: {} }\n',
        ),
      ),
    );
    const down = (...flags: string[]) => scenario.rig.cli(["down", "--scope", "change", ...flags]);
    const first = await down();
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /removed change; kept 1 volume with its data: change_kept/);
    assert.deepEqual(await scenario.instances("change"), []);
    assert.equal((await idOf("stranger"))?.length, 64);
    assert.ok(
      (await scenario.rig.engine.listVolumes()).some((volume) => volume.name === "change_kept"),
    );
    // It is down, and its volumes can go all the same.
    const second = await down("-v");
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /removed change$/m);
    assert.ok(
      !(await scenario.rig.engine.listVolumes()).some((volume) => volume.name === "change_kept"),
    );
  });

  it("containers of docker-compose are adopted as they are, and healed", async () => {
    const file = scenario.file(
      `version: "3.8"\nservices:\n  app:\n    image: ${IMAGE}\n    stop_grace_period: 1s\n`,
      "adopt.yaml",
    );
    const made = spawnSync(
      "docker-compose",
      ["-H", scenario.rig.lab.endpoint, "-f", file, "-p", "adopt", "up", "-d"],
      { encoding: "utf8" },
    );
    assert.equal(made.status, 0, made.stderr);
    const [before] = await scenario.instances("adopt");
    scenario.proxy.forget();
    await scenario.up(file, ["-p", "adopt"]);
    assert.deepEqual(scenario.proxy.writes(), [], "adopting writes nothing to the engine");
    assert.deepEqual(
      (await scenario.instances("adopt")).map((i) => i.id),
      [before?.id],
    );
    await scenario.rig.engine.killInstance(before?.id ?? "", { decision: "test" });
    await until("the adopted one runs again", 30_000, async () => {
      const now = await scenario.rig.engine.inspectInstance(before?.id ?? "");
      return now?.state === "running" && now.startedAtMs > (before?.startedAtMs ?? 0);
    });
    assert.equal((await scenario.rig.cli(["down", "--scope", "adopt"])).code, 0);
    assert.equal((await scenario.instances("adopt")).length, 1, "what up did not make stays");
  });

  it("containers past their time, or whose owner is gone, are reaped when they ask for it", async () => {
    const run = (name: string, ...labels: string[]) =>
      spawnSync("docker", [
        "-H",
        scenario.rig.lab.endpoint,
        "run",
        "-d",
        "--stop-timeout=0",
        "--name",
        name,
        ...labels.flatMap((label) => ["--label", label]),
        IMAGE,
      ]);
    run("owner");
    run("child", "fairlead.manage=true", "fairlead.owner=owner");
    run("brief", "fairlead.manage=true", "fairlead.ttl=1s");
    run("shy", "fairlead.ttl=1s");
    await until("brief is reaped", 30_000, async () => (await idOf("brief")) === undefined, 50);
    assert.ok(await idOf("child"));
    await scenario.rig.engine.removeInstance("owner", {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await until("child is reaped", 30_000, async () => (await idOf("child")) === undefined, 50);
    assert.ok(await idOf("shy"), "one that did not ask is only told of");
  });
});
