// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts, InstanceFact } from "#model/facts.ts";
import { assessScope } from "./assess.ts";
import { makePlan } from "./plan.ts";
import { planReconcile } from "./reconcile.ts";
import { buildFacts, buildInput, buildInstance, buildService } from "./testing/builders.ts";

function pass(
  constraints: string[],
  instances: readonly InstanceFact[] = [],
  more: Partial<Facts> = {},
) {
  const facts = buildFacts(instances, more);
  const input = buildInput([buildService({ constraints })], instances, { facts });
  return { input, result: planReconcile(input) };
}

describe("a service with constraints", () => {
  test("is made where they are met", () => {
    for (const met of [
      "node.labels.disk == ssd",
      "node.labels.disk != hdd",
      "node.labels.gpu != yes",
      "engine.labels.rack==4",
      "node.hostname == host7",
      "node.role == manager",
      "node.id != other",
      "node.platform.os == linux",
      "node.platform.arch == amd64",
      "node.platform.arch == x86_64",
    ]) {
      const { actions, waiting } = pass([met]).result;
      assert.deepEqual([actions.map(({ act }) => act), waiting], [["instance.create"], []], met);
    }
  });

  const refused: readonly (readonly [string, string])[] = [
    ["node.labels.disk == hdd", "node.labels.disk is ssd here"],
    ["node.labels.disk != ssd", "node.labels.disk is ssd here"],
    ["node.labels.gpu == yes", "there is no node.labels.gpu here"],
    ["engine.labels.rack == 5", "engine.labels.rack is 4 here"],
    ["node.hostname == host8", "node.hostname is host7 here"],
    ["node.platform.arch == arm64", "node.platform.arch is x86_64 here"],
  ];
  for (const [constraint, has] of refused) {
    test(`${constraint}: nothing is made, and it says what the node has`, () => {
      const { input, result } = pass(["node.platform.os == linux", constraint]);
      const reason = `the constraint ${constraint} is not met: ${has}`;
      assert.deepEqual(result.actions, []);
      assert.deepEqual(result.waiting, [{ service: "web", slot: 1, kind: "failed", reason }]);
      assert.deepEqual(makePlan(input, "pl").warnings, [`web: ${reason}`]);
      const [web] = assessScope({ ...input, reconciliation: result, removing: false }).services;
      assert.deepEqual([web?.state, web?.reason], ["degraded", reason]);
    });
  }

  test("pulls nothing for a host that it may not be on", () => {
    assert.deepEqual(pass(["node.id == x"], [], { images: new Map() }).result.actions, []);
  });

  test("keeps what runs, and heals it; a change waits", () => {
    const running = buildInstance();
    assert.deepEqual(pass(["node.id == x"], [running]).result, {
      actions: [],
      waiting: [],
      wakeAtMs: undefined,
    });
    const ended = { ...running, state: "exited" as const, exitCode: 1, finishedAtMs: 1 };
    assert.equal(pass(["node.id == x"], [ended]).result.actions[0]?.act, "instance.start");
    const outdated = pass(["node.id == x"], [buildInstance({ hash: "web-v0" })]).result;
    assert.deepEqual(outdated.actions, []);
    assert.equal(outdated.waiting[0]?.kind, "failed");
  });

  test("waits until the engine has said what it is; what is no constraint holds nobody up", () => {
    const { actions, waiting } = pass(["node.id == x"], [], { node: undefined }).result;
    assert.deepEqual([actions, waiting[0]?.kind], [[], "blocked"]);
    assert.equal(pass(["node.ip == 10.0.0.1", "nonsense"]).result.actions.length, 1);
  });
});
