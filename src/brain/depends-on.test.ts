// SPDX-License-Identifier: Apache-2.0
// Who waits for whom, for how many replicas of it, and whether waiting can help.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { Dependency, ServiceIntent } from "#model/intent.ts";
import type { Hold } from "./pass.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildDependency,
  buildEnded,
  buildInput,
  buildInstance,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

const on = (parts: Partial<Dependency> = {}): Dependency => buildDependency("db", parts);
const db = (slot: number, parts: Partial<InstanceFact> = {}): InstanceFact =>
  buildInstance({ service: "db", slot, ...parts });

function plan(
  services: readonly ServiceIntent[],
  there: readonly InstanceFact[],
  held: ReadonlyMap<string, Hold> = new Map(),
) {
  const { actions, waiting } = planReconcile(buildInput(services, there, { held }));
  const web = waiting.find((entry) => entry.service === "web");
  return { keys: actions.map((action) => action.key), web };
}

describe("depends_on with several replicas", () => {
  const services = [
    buildService({ name: "db", replicas: 2 }),
    buildService({ replicas: 2, dependsOn: [on()] }),
  ];

  test("waits for all of them at a first start, and for one of them later", () => {
    const { keys, web } = plan(services, [db(1), buildEnded(1)]);
    assert.deepEqual(keys, ["db/2", "web/1"]);
    assert.deepEqual([web?.slot, web?.kind], [2, "blocked"]);
  });

  test("says of one that is there and not as wanted, rather than of one that is missing", () => {
    const three = [buildService({ name: "db", replicas: 3 }), buildService({ dependsOn: [on()] })];
    const some = plan(three, [db(1), buildEnded(1, { service: "db", slot: 3 })]);
    assert.equal(some.web?.reason, "waits for db to be running (exited)");
    assert.equal(plan(three, [db(1)]).web?.reason, "waits for db, which is not there yet");
  });

  test("waits for each of them to complete, also at a later start", () => {
    const jobs = [
      buildService({ name: "db", replicas: 2, restart: { policy: "no" } }),
      buildService({ dependsOn: [on({ condition: "completed" })] }),
    ];
    const half = [buildEnded(0, { service: "db" }), db(2), buildEnded(1)];
    assert.equal(plan(jobs, half).web?.reason, "waits for db to complete (running)");
  });

  test("restarts nobody for a replica that the condition does not hold of", () => {
    const dependsOn = [on({ condition: "healthy", restart: true })];
    const two = [buildService({ name: "db", replicas: 2 }), buildService({ dependsOn })];
    const since = { startedAtMs: NOW_MS - 1_000 };
    const healthy = db(1, { ...since, health: "healthy" });
    assert.deepEqual(plan(two, [healthy, db(2, since), buildInstance()]).keys, []);
    const all = [healthy, db(2, { ...since, health: "healthy" }), buildInstance()];
    assert.deepEqual(plan(two, all).keys, ["web/1"]);
  });
});

describe("waiting that cannot help", () => {
  const dependent = (...dependsOn: Dependency[]): ServiceIntent => buildService({ dependsOn });
  const kindOf = (services: readonly ServiceIntent[], there: readonly InstanceFact[]) =>
    plan(services, there).web?.kind;

  test("is told from waiting that can", () => {
    const healthy = [buildService({ name: "db" }), dependent(on({ condition: "healthy" }))];
    assert.equal(kindOf(healthy, [db(1)]), "failed", "it has no health check");
    assert.equal(kindOf(healthy, [db(1, { health: "starting" })]), "blocked");
    assert.equal(kindOf(healthy, [buildEnded(1, { service: "db" })]), "blocked");
  });

  test("is for a job that failed and is not tried again, be it one of many", () => {
    const after = dependent(on({ condition: "completed" }));
    const job = buildService({ name: "db", replicas: 2, restart: { policy: "no" } });
    const failed = buildEnded(3, { service: "db" });
    assert.equal(kindOf([job, after], [failed, db(2)]), "failed");
    assert.equal(kindOf([job, after], [buildEnded(0, { service: "db" }), db(2)]), "blocked");
    assert.equal(kindOf([job, dependent(on({ condition: "healthy" }))], [failed]), "blocked");
    const retried = { ...job, restart: { policy: "on-failure" as const } };
    assert.equal(kindOf([retried, after], [failed, db(2)]), "blocked");
  });

  test("holds up healing as it holds up a start, and what runs is not held up", () => {
    const after = dependent(on({ condition: "completed" }));
    const job = buildService({ name: "db", restart: { policy: "no" } });
    const failed = buildEnded(3, { service: "db" });
    assert.equal(kindOf([job, after], [failed, buildEnded(1)]), "failed");
    assert.equal(kindOf([job, after], [db(1), buildEnded(1)]), "blocked");
    const ill = buildInstance({ health: "unhealthy" });
    assert.deepEqual(plan([job, after], [failed, ill]).keys, ["web/1"]);
  });

  test("is never for what is not required", () => {
    const gone = buildDependency("gone", { required: false });
    assert.equal(kindOf([buildService({ name: "db" }), dependent(on(), gone)], []), "blocked");
    assert.equal(kindOf([dependent(buildDependency("gone"))], []), "failed");
  });
});

test("a namespace that is shared is waited for like a dependency that is required", () => {
  const sharer = buildService({ network: { kind: "service", service: "db" } });
  const held = new Map([["db/1", { untilMs: NOW_MS + 9, reason: "no", final: false }]]);
  assert.deepEqual(plan([buildService({ name: "db" }), sharer], [], held).keys, []);
});
