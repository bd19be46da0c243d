// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hashIntent, makePlan, makeRemovalPlan } from "./plan.ts";
import {
  buildDependency,
  buildEnded,
  buildFacts,
  buildInput,
  buildInstance,
  buildIntent,
  buildService,
} from "./testing/builders.ts";
import { runWorld } from "./testing/world.ts";

describe("hashIntent()", () => {
  const service = buildService();

  test("does not see where things stand in the file", () => {
    const at = { file: "compose.yaml", line: 99 };
    const moved = buildService({
      at,
      origins: { replicas: at },
      restart: { ...service.restart, at },
      heal: { ...service.heal, at },
      update: { ...service.update, at },
    });
    assert.equal(hashIntent(buildIntent([moved])), hashIntent(buildIntent([service])));
  });

  test("sees everything else", () => {
    const before = hashIntent(buildIntent([service]));
    for (const parts of [
      { replicas: 2 },
      { hash: "x" },
      { heal: { ...service.heal, actsMax: 9 } },
      { container: { Image: "app:1", Labels: { at: "y" } } },
    ])
      assert.notEqual(hashIntent(buildIntent([buildService(parts)])), before);
  });
});

describe("makePlan()", () => {
  const services = [
    buildService({ name: "db" }),
    buildService({ name: "web", replicas: 2, dependsOn: [buildDependency("db")] }),
  ];

  test("has no steps and the number of what stays when everything is as wanted", () => {
    const there = [
      buildInstance({ service: "db" }),
      buildInstance({ slot: 1 }),
      buildInstance({ slot: 2 }),
    ];
    const plan = makePlan(buildInput(services, there), "pl_1");
    assert.deepEqual(plan.steps, []);
    assert.equal(plan.unchanged, 3);
  });

  test("has the same basis for the same facts and steps, and another once something is there", () => {
    const empty = makePlan(buildInput(services, []), "pl_1");
    assert.equal(makePlan(buildInput(services, [], { nowMs: 1 }), "pl_2").basis, empty.basis);
    const db = buildInstance({ service: "db" });
    assert.notEqual(makePlan(buildInput(services, [db]), "pl_3").basis, empty.basis);
  });

  test("takes no account of what is held back or running now", () => {
    const held = new Map([["web/1", { untilMs: Infinity, reason: "no", final: true }]]);
    const busy = new Set(["db/1"]);
    const plan = makePlan(buildInput(services, [], { held, busy }), "pl_1");
    assert.equal(plan.steps.length, 3);
  });

  test("warns of what will not come by itself", () => {
    const lonely = [buildService({ dependsOn: [buildDependency("gone")] })];
    const plan = makePlan(buildInput(lonely, []), "pl_1");
    assert.deepEqual(plan.warnings, ["web: depends on gone, which the scope does not have"]);
  });

  test("includes what it has to heal on the way", () => {
    const plan = makePlan(buildInput([buildService()], [buildEnded(1)]), "pl_1");
    assert.deepEqual(
      plan.steps.map((step) => step.act),
      ["instance.start"],
    );
  });

  test("takes up to 20 replicas one by one, as the loop does, and more than that at once", () => {
    const first = (replicas: number): (string | undefined)[] => {
      const old = Array.from({ length: replicas }, (_, i) => buildInstance({ slot: i + 1 }));
      const { steps } = makePlan(buildInput([buildService({ replicas, hash: "v2" })], old), "pl_1");
      return steps.slice(0, 2).map((step) => step.act);
    };
    assert.deepEqual(first(20), ["instance.create", "instance.remove"]);
    assert.deepEqual(first(21), ["instance.create", "instance.create"]);
  });

  test("lists the same steps as the loop takes for a big service, in another order", () => {
    const update = { ...buildService().update, delayMs: 60_000 };
    const service = buildService({ replicas: 30, hash: "web-v2", update });
    const old = Array.from({ length: 30 }, (_, i) => buildInstance({ slot: i + 1 }));
    const input = buildInput([service], old);
    const steps = makePlan(input, "pl_1").steps.map((step) => `${step.act} ${step.object}`);
    const done = runWorld(input).actions.map((action) => `${action.act} ${action.object}`);
    assert.deepEqual(steps.toSorted(), done.toSorted());
  });
});

describe("makeRemovalPlan()", () => {
  const volumes = [{ name: "shop_data", labels: { "io.fairlead.scope": "shop" } }];
  const removed = (withVolumes: boolean): string[] => {
    const services = [
      buildService({ name: "db" }),
      buildService({ name: "web", dependsOn: [buildDependency("db")] }),
    ];
    const there = [buildInstance({ service: "db" }), buildInstance()];
    const input = buildInput(services, there, { facts: buildFacts(there, { volumes }) });
    const plan = makeRemovalPlan(input, { volumes: withVolumes }, "pl_1");
    return plan.steps.map((step) => step.object);
  };

  test("goes from dependants to networks, and to volumes only when asked", () => {
    assert.deepEqual(removed(false), ["shop-web-1", "shop-db-1", "shop_default"]);
    assert.deepEqual(removed(true), ["shop-web-1", "shop-db-1", "shop_default", "shop_data"]);
  });

  test("comes to an end when services wait for each other in a circle", () => {
    const services = [
      buildService({ name: "a", dependsOn: [buildDependency("b")] }),
      buildService({ name: "b", dependsOn: [buildDependency("a")] }),
      buildService({ name: "c", dependsOn: [buildDependency("a")] }),
    ];
    const there = ["a", "b", "c"].map((service) => buildInstance({ service }));
    const plan = makeRemovalPlan(buildInput(services, there), { volumes: false }, "pl_1");
    assert.deepEqual(
      plan.steps.map((step) => step.object),
      ["shop-c-1", "shop-a-1", "shop-b-1", "shop_default"],
    );
  });
});
