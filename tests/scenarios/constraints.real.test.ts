// SPDX-License-Identifier: Apache-2.0
// deploy.placement.constraints on one host: what it does not meet is not started, and everywhere says why.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { IMAGE } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

describe("constraints", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario({ env: { FAIRLEAD_NODE_LABELS: "disk=ssd,zone=a" } });
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("hold for the node's labels and for what the engine says of its host", async () => {
    const { arch, hostName } = await scenario.rig.engine.info();
    const service = (...constraints: string[]): string =>
      `{ image: "${IMAGE}", stop_grace_period: 0s, deploy: { placement: { constraints: ${JSON.stringify(constraints)} } } }`;
    const file = scenario.file(`name: placed
services:
  here: ${service("node.labels.disk == ssd", `node.hostname == ${hostName}`, `node.platform.arch == ${arch}`)}
  there: ${service("node.labels.zone != a")}
`);
    const reason = "the constraint node.labels.zone != a is not met: node.labels.zone is a here";
    const plan = await scenario.rig.cli(["plan", "-f", file]);
    assert.ok(plan.stdout.includes(`! there: ${reason}`), plan.stdout);
    const { stderr } = await scenario.up(file, [], 1);
    assert.ok(stderr.includes(reason), stderr);
    // up has waited for the other one, which needed a network first.
    assert.deepEqual(
      (await scenario.instances("placed")).map(({ name, state }) => [name, state]),
      [["placed-here-1", "running"]],
    );
    const ps = await scenario.rig.cli(["ps", "--scope", "placed"]);
    assert.match(ps.stderr, /^there: degraded, no instance: the constraint /m);
    for (const args of [
      ["services", "--scope", "placed"],
      ["why", "service/there", "--scope", "placed"],
    ]) {
      const { stdout } = await scenario.rig.cli(args);
      assert.ok(stdout.includes(reason), `${args.join(" ")}\n${stdout}`);
    }
    const explain = ["placement", "explain", "--scope", "placed"];
    const there = await scenario.rig.cli([...explain, "there"]);
    assert.equal(there.code, 1, there.stderr);
    assert.match(
      there.stdout,
      /^there \(placed\) {2}1 of 1 has no node: constraint node.labels.zone/,
    );
    assert.match(there.stdout, /by itself/);
    const here = await scenario.rig.cli([...explain, "here"]);
    assert.equal(here.code, 0, here.stderr);
    assert.match(here.stdout, /^\S+ +1 +0 % +yes$/m);
    await scenario.up(scenario.file(`name: placed\nservices:\n  there: ${service()}\n`));
    assert.deepEqual(
      (await scenario.instances("placed")).map(({ name }) => name),
      ["placed-there-1"],
    );
  });
});
