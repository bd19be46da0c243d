// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { createAgenda } from "./agenda.ts";
import { createDraft } from "./draft.ts";
import type { ReconcileInput } from "./pass.ts";
import { makePlan } from "./plan.ts";
import { planReconcile } from "./reconcile.ts";
import { applyToDraft } from "./simulate.ts";
import { anyInput } from "./testing/arbitraries.ts";
import { buildDependency, buildInput, buildInstance, buildService } from "./testing/builders.ts";

/** Runs both ahead in one world and compares every round: what is done, and at rest what is waited for. */
function assertLikePasses(first: ReconcileInput): string[] {
  const draft = createDraft(first, 0);
  const agenda = createAgenda(first);
  const done: string[] = [];
  for (let round = 0; round < 500; round++) {
    const { nowMs, memory } = draft;
    const input = { ...first, nowMs, memory, facts: { ...draft.readFacts() } };
    const part = agenda.look(input, draft);
    const whole = planReconcile(input);
    assert.deepEqual(part.actions, whole.actions);
    if (whole.actions.length === 0) {
      const sort = ({ waiting }: typeof whole): string[] =>
        waiting.map((w) => `${w.kind} ${w.service}/${w.slot} ${w.untilMs}`);
      assert.deepEqual(sort(part), sort(whole));
      assert.equal(part.wakeAtMs, whole.wakeAtMs);
      if (whole.wakeAtMs === undefined) return done;
      draft.nowMs = whole.wakeAtMs;
      continue;
    }
    done.push(...whole.actions.map((action) => `${action.act} ${action.object}`));
    draft.nowMs = nowMs + 1;
    applyToDraft(draft, part.actions);
    agenda.note(part.actions, draft.takeTouched());
  }
  return assert.fail("no end");
}

/** Wraps things so that each look at one of them is counted. */
function countReads<T extends object>(list: readonly T[]): { list: T[]; reads: () => number } {
  let reads = 0;
  const counted = list.map(
    (one) =>
      new Proxy(one, {
        get(target, key) {
          reads++;
          const value: unknown = Reflect.get(target, key);
          return value;
        },
      }),
  );
  return { list: counted, reads: () => reads };
}

function buildChain(length: number): ServiceIntent[] {
  return Array.from({ length }, (_, i) =>
    buildService({ name: `s${i}`, dependsOn: i === 0 ? [] : [buildDependency(`s${i - 1}`)] }),
  );
}

describe("the agenda", () => {
  test("decides in every round what a whole pass decides", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        assertLikePasses(input);
      }),
      { numRuns: 300 },
    );
  });

  test("sees that a name is free which another service held", () => {
    const services = [
      buildService({ name: "a", fixedName: "shop-b-1", replicas: 0 }),
      buildService({ name: "b" }),
      buildService({ name: "c", fixedName: "first" }),
      buildService({ name: "d", replicas: 0 }),
    ];
    const there = [
      buildInstance({ service: "a", name: "shop-b-1" }),
      buildInstance({ service: "b", name: "passing" }),
      buildInstance({ service: "c", name: "other" }),
      buildInstance({ service: "d", name: "first" }),
    ];
    assert.deepEqual(assertLikePasses(buildInput(services, there)), [
      "instance.remove shop-b-1",
      "instance.remove first",
      "instance.rename shop-b-1",
      "instance.rename first",
    ]);
  });

  test("sees that a container was made whose namespace others share by its name", () => {
    const container = { kind: "container", container: "shop-db-1" } as const;
    const services = [
      buildService({ name: "web", network: container }),
      buildService({ name: "top", pid: container }),
      buildService({ name: "db", hash: "db-v2" }),
    ];
    const old = "id-shop-db-1";
    const there = [
      buildInstance({ service: "web", networkFrom: old }),
      buildInstance({ service: "top", pidFrom: old }),
      buildInstance({ service: "db" }),
    ];
    const done = assertLikePasses(buildInput(services, there));
    assert.ok(done.includes("instance.replace shop-web-1"));
    assert.ok(done.includes("instance.replace shop-top-1"));
  });

  test("follows a chain of dependencies that are not required", () => {
    const optional = (name: string): ReturnType<typeof buildDependency> =>
      buildDependency(name, { required: false, condition: "healthy" });
    const services = [
      buildService({ name: "web", dependsOn: [optional("cache")] }),
      buildService({ name: "cache", dependsOn: [optional("db")] }),
      buildService({ name: "db", dependsOn: [buildDependency("disk")] }),
      buildService({ name: "disk" }),
    ];
    // db does not come by itself, so cache is made without it; web no longer waits once cache runs.
    assert.deepEqual(assertLikePasses(buildInput(services, [])), [
      "instance.create shop-cache-1",
      "instance.create shop-disk-1",
      "instance.create shop-web-1",
      "instance.create shop-db-1",
    ]);
  });

  test("sees what is left of a service that the intent no longer has but others name", () => {
    const web = buildService({ dependsOn: [buildDependency("gone", { required: false })] });
    const twins = ["one", "two"].map((name) => buildInstance({ service: "gone", name }));
    const done = assertLikePasses(buildInput([web], [buildInstance(), ...twins]));
    assert.deepEqual(done, ["instance.remove two", "instance.remove one"].toSorted());
  });
});

describe("what a plan looks at", () => {
  const count = (services: readonly ServiceIntent[], there: readonly InstanceFact[]): number => {
    const counted = countReads(services);
    const instances = countReads(there);
    makePlan(buildInput(counted.list, instances.list), "pl_1");
    return counted.reads() + instances.reads();
  };
  const others = (length: number): InstanceFact[] =>
    Array.from({ length }, (_, i) => buildInstance({ service: `o${i}`, scope: "elsewhere" }));

  test("grows with the length of a chain of dependencies, not with its square", () => {
    const short = count(buildChain(50), others(50));
    const long = count(buildChain(300), others(300));
    assert.ok(long < short * 7, `${short} reads for 50, ${long} for 300`);
  });

  test("is the same for a chain in any order, and for services that do not wait", () => {
    const chain = buildChain(200);
    const flat = chain.map((service) => ({ ...service, dependsOn: [] }));
    const reads = count(flat, []);
    assert.ok(count(chain, []) < reads * 3);
    assert.ok(count(chain.toReversed(), []) < reads * 3);
  });

  test("grows no faster where dependencies are replaced one after the other", () => {
    const change = (length: number): number => {
      const services = buildChain(length).map((service) => ({
        ...service,
        hash: `${service.name}-v2`,
        dependsOn: service.dependsOn.map((one) => ({ ...one, restart: true })),
      }));
      return count(
        services,
        services.map(({ name }) => buildInstance({ service: name })),
      );
    };
    assert.ok(change(300) < change(50) * 7);
  });
});
