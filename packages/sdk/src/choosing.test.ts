// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import { POLICY_DEFAULT } from "@fairlead/routing/policy.ts";
import { Choosing, choosePolicy } from "./choosing.ts";

function makeRecord(id: string, joinedAtMs: number, tags: Record<string, string>): AgentRecord {
  return recordOf("a", { id, joinedAtMs, tags });
}

test("the newest instance says how its service is routed, so that a change is followed at once", () => {
  const records = [
    makeRecord("old", 1, { "fairlead.route": "round-robin" }),
    makeRecord("new", 2, { "fairlead.route": "eject=3" }),
    makeRecord("silent", 3, {}),
  ];
  const base = { ...POLICY_DEFAULT, strategy: "least-requests", hedgeQuantile: 0.9 } as const;
  assert.deepEqual(choosePolicy("", records, base), {
    policy: { ...base, ejectAfter: 3 },
    source: "service",
  });
  assert.equal(choosePolicy("random-two", records, base).policy.strategy, "random-two");
  assert.equal(choosePolicy("", [], base).policy, base);
});

test("a policy that is none is not followed, and that is said", () => {
  const choosing = new Choosing("a", "", {});
  choosing.learn([makeRecord("a", 1, { "fairlead.route": "emwa" })], "nonsense too");
  const { policy, source, problem } = choosing.explain(0);
  assert.deepEqual([policy, source], ["ewma", "default"]);
  assert.match(problem ?? "", /did you mean "ewma"/);
});

test("a weight is a tag, and one that is no number counts as one", () => {
  const choosing = new Choosing("a", "round-robin", {});
  const weights = ["3", "0.5", "-1", "many", "1e9"];
  choosing.learn(weights.map((text, at) => makeRecord(`i${at}`, 1, { "fairlead.weight": text })));
  assert.deepEqual(
    choosing.candidates.map(({ weight }) => weight),
    [3, 0.5, 1, 1, 1],
  );
});

test("what was seen of instances outlives a change of the registry, not one of the policy", () => {
  const choosing = new Choosing("a", "", {});
  const records = [makeRecord("a", 1, {}), makeRecord("b", 1, {})];
  choosing.learn(records);
  const before = choosing.balancer;
  choosing.learn([...records, makeRecord("c", 2, {})]);
  assert.equal(choosing.balancer, before);
  choosing.learn(records, "random-two");
  assert.notEqual(choosing.balancer, before);
});
