// SPDX-License-Identifier: Apache-2.0
// A witness on the engine's socket counts writes: looking, planning and rehearsing are not writing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Plan } from "@fairlead/protocol/decision.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `name: dry\nservices:\n  web:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n    deploy: { replicas: 2, update_config: { monitor: 100ms } }\n`;

describe("what only looks writes nothing", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("plan, config and up --dry-run write nothing, before and after a scope exists", async () => {
    const { rig, proxy } = scenario;
    const file = scenario.file(FILE);
    const succeed = async (args: readonly string[]): Promise<void> => {
      const { code, stdout, stderr } = await rig.cli(args);
      assert.equal(code, 0, `${args.join(" ")}\n${stdout}${stderr}`);
    };
    const rehearse = async (): Promise<void> => {
      for (const args of [
        ["plan", "-f", file],
        ["config", "-f", file],
        ["up", "-f", file, "--dry-run"],
        ["ps", "-A"],
        ["status"],
      ]) {
        await succeed(args);
      }
    };
    await rehearse();
    assert.deepEqual(proxy.writes(), []);
    await scenario.up(file);
    proxy.forget();
    await rehearse();
    for (const args of [
      ["down", "--scope", "dry", "--dry-run"],
      ["restart", "web", "--scope", "dry", "--dry-run"],
      ["restart", "web", "--dry-run"],
      ["pause", "web", "--dry-run"],
      ["resume", "web", "--dry-run"],
      ["logs", "web"],
    ]) {
      await succeed(args);
    }
    assert.deepEqual(proxy.writes(), []);
    assert.equal((await scenario.instances("dry")).length, 2);
    const nobody = await rig.cli(["logs", "nobody"]);
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /FL0609 no-scope: no scope has nobody/);
  });

  it("running up twice changes nothing", async () => {
    const file = scenario.file(FILE);
    await scenario.up(file);
    const before = (await scenario.instances("dry")).map((instance) => instance.id);
    scenario.proxy.forget();
    const { stdout } = await scenario.up(file);
    assert.match(stdout, /nothing to change/);
    assert.deepEqual(scenario.proxy.writes(), []);
    assert.deepEqual(
      (await scenario.instances("dry")).map((instance) => instance.id),
      before,
    );
  });

  it("the reason that a person gives is kept in the decisions that follow from it, and in no others", async () => {
    const { rig } = scenario;
    const run = async (args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await rig.cli(args);
      assert.equal(code, 0, `${args.join(" ")}\n${stdout}${stderr}`);
      return stdout;
    };
    await run(["pause", "web", "--for", "1h", "--reason", "disk swap"]);
    assert.equal((await scenario.service("dry", "web")).state, "paused");
    await run(["resume", "web", "--reason", "disk is new"]);
    await run(["restart", "web", "--reason", "new certificates"]);
    const first = (await scenario.instances("dry"))[0];
    assert.ok(first !== undefined);
    await rig.engine.killInstance(first.id, { decision: "test" });
    await until("it is healed", 20_000, async () =>
      (await scenario.decisions("dry")).some(
        ({ trigger, outcome }) => trigger.kind === "exit" && outcome === "done",
      ),
    );
    await run(["restart", "web"]);
    const told = (await scenario.decisions("dry")).map(
      ({ act, actor, reason }) =>
        `${act} ${actor === "automatic" ? "automatic" : "asked"} ${reason}`,
    );
    assert.deepEqual(told.slice(0, 7), [
      "instance.restart asked undefined",
      "instance.restart asked undefined",
      "instance.start automatic undefined",
      "instance.restart asked new certificates",
      "instance.restart asked new certificates",
      "service.resume asked disk is new",
      "service.pause asked disk swap",
    ]);
    assert.match(await run(["why", "web"]), /^ +reason +new certificates$/m);
    assert.match(await run(["decisions", "-o", "wide"]), /WHO.*REASON[^]*disk swap/);
    assert.match(await run(["decisions", "-o", "json"]), /"reason": "disk swap"/);
  });

  it("a scope that Fairlead did not start is only observed, and what it would do is told", async () => {
    const { rig, proxy } = scenario;
    proxy.forget();
    const labels = [
      "--label",
      "com.docker.compose.project=strange",
      "--label",
      "com.docker.compose.service=app",
    ];
    const args = [
      "-H",
      rig.lab.endpoint,
      "run",
      "-d",
      "--name",
      "strange-app-1",
      ...labels,
      IMAGE,
      "sh",
      "-c",
      "exit 3",
    ];
    assert.equal(spawnSync("docker", args).status, 0);
    await until(
      "a decision that only observes",
      20_000,
      async () => (await scenario.decisions("strange")).length > 0,
    );
    const [decision] = await scenario.decisions("strange");
    assert.equal(decision?.outcome, "observed");
    assert.match(decision?.notDone[0]?.why ?? "", /observed, not managed/);
    assert.deepEqual(proxy.writes(), []);
  });

  it("a plan is carried out exactly, or refused with 4 when the state has moved", async () => {
    const { rig } = scenario;
    const file = scenario.file(FILE.replace("replicas: 2", "replicas: 3"));
    const made = await rig.cli(["plan", "-f", file, "-o", "json"]);
    assert.equal(made.code, 0, made.stderr);
    const planFile = join(rig.directory, "plan.json");
    writeFileSync(planFile, made.stdout);
    await rig.engine.removeInstance("dry-web-1", {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await scenario.settled("dry");
    const refused = await rig.cli(["up", "-f", file, "--plan", planFile]);
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /FL0703/);
    assert.equal((await scenario.instances("dry")).length, 2);
    const again = await rig.cli(["plan", "-f", file, "-o", "json"]);
    writeFileSync(planFile, again.stdout);
    const carried = await rig.cli(["up", "-f", file, "--plan", planFile]);
    assert.equal(carried.code, 0, carried.stderr);
    assert.equal((await scenario.instances("dry")).length, 3);
    const items = JSON.parse(again.stdout) as { items?: Plan[]; steps?: Plan["steps"] };
    const steps = items.items?.[0]?.steps ?? items.steps ?? [];
    assert.deepEqual(
      steps.map((step) => step.object),
      ["dry-web-3"],
    );
  });
});
