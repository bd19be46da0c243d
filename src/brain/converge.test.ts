// SPDX-License-Identifier: Apache-2.0
// A world in which nothing stands in the way for ever: here the loop has to arrive, an explained standstill is no end.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Reconciliation } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { isManaged, isUnfinished, type ReconcileInput } from "./pass.ts";
import { makePlan } from "./plan.ts";
import { planReconcile } from "./reconcile.ts";
import { buildMemory, NOW_MS, SCOPE } from "./testing/builders.ts";
import { anyOpenInput } from "./testing/open-world.ts";
import { runWorld, type Fate } from "./testing/world.ts";

const RUNS = { numRuns: 250, endOnFailure: true, includeErrorInReport: true };
const BROKEN_MS = 100;

function listServing(input: ReconcileInput, service: ServiceIntent): readonly InstanceFact[] {
  return input.facts.instances.filter(
    (one) =>
      one.scope === SCOPE &&
      one.service === service.name &&
      !one.oneoff &&
      isManaged(one, input.memory.get(service.name) ?? buildMemory()),
  );
}

/** Exactly the wanted slots, each with one running container of the wanted configuration. */
function checkArrived(input: ReconcileInput, hashOf = (service: ServiceIntent) => service.hash) {
  for (const service of input.intent.services) {
    const serving = listServing(input, service);
    const slots = serving.map((one) => one.slot).sort((a, b) => a - b);
    const wanted = Array.from({ length: service.replicas }, (_, index) => index + 1);
    assert.deepEqual(slots, wanted, `slots of ${service.name}`);
    for (const one of serving) {
      assert.equal(one.state, "running", one.name);
      assert.equal(one.hash, hashOf(service), one.name);
    }
  }
  const volumes = new Set(input.facts.volumes.map((volume) => volume.name));
  for (const volume of input.intent.volumes) assert.ok(volumes.has(volume.name), volume.name);
}

/** Containers of the changed configuration end with code 1 a moment after each start. */
function breakNew(instances: readonly InstanceFact[], names: ReadonlySet<string>) {
  let hit = false;
  const next = instances.map((one): InstanceFact => {
    const broken = one.state === "running" && one.hash === `${one.service}-v1`;
    if (!broken || !names.has(one.service)) return one;
    hit = true;
    const finishedAtMs = one.startedAtMs + BROKEN_MS;
    return { ...one, state: "exited", health: "none", exitCode: 1, finishedAtMs };
  });
  return hit ? next : instances;
}

function mapServices(
  input: ReconcileInput,
  change: (service: ServiceIntent) => ServiceIntent,
): ReconcileInput {
  const { intent } = input;
  return { ...input, intent: { ...intent, services: intent.services.map(change) } };
}

/** A crash in the middle of a change is no reason to take it back. */
function goOn(input: ReconcileInput): ReconcileInput {
  return mapServices(input, (service) => ({
    ...service,
    update: { ...service.update, onFailure: "continue" },
  }));
}

/**
 * Every change is watched and goes back; what is healthy or good at once would have passed before it breaks. Slots have
 * one container that serves, or none.
 */
function watchChanges(input: ReconcileInput): ReconcileInput {
  const { facts } = input;
  const slots = new Map(facts.instances.map((one) => [`${one.service}/${one.slot}`, one]));
  const instances = [...slots.values()]
    .filter((one) => one.state === "running")
    .map((one) => ({ ...one, hash: `${one.service}-v0` }));
  const watched = mapServices(input, (service) => ({
    ...service,
    container: { Image: "app:1" },
    update: { ...service.update, monitorMs: 5_000, onFailure: "rollback" },
  }));
  return { ...watched, facts: { ...facts, instances } };
}

/** Services that serve with what they had before. */
function listChanging(input: ReconcileInput): ReadonlySet<string> {
  const changing = input.intent.services.filter((service) =>
    listServing(input, service).some(
      (one) => one.state === "running" && one.slot <= service.replicas,
    ),
  );
  return new Set(changing.map((service) => service.name));
}

/** What was never finished is removed, and nothing else is done with it. */
function checkUnfinished({ facts }: ReconcileInput, { actions }: Reconciliation): void {
  const unfinished = new Set(facts.instances.filter(isUnfinished).map(({ id }) => id));
  for (const { act, target = "", successor = "" } of actions) {
    if (unfinished.has(target)) assert.equal(act, "instance.remove");
    assert.ok(!unfinished.has(successor));
  }
}

describe("the loop, where nothing stands in its way", () => {
  test("arrives at exactly what is wanted, and waits for nothing", () => {
    fc.assert(
      fc.property(anyOpenInput, (input) => {
        const { input: end, last } = runWorld(input, { roundsMax: 400 });
        checkArrived(end);
        assert.deepEqual(last.waiting, []);
      }),
      RUNS,
    );
  });

  test("arrives when acts are refused and cut off, and instances crash", () => {
    const fate = fc.constantFrom<Fate>("done", "refused", "cut", "unfinished");
    const crashes = fc.array(fc.record({ round: fc.nat(20), index: fc.nat(20) }), { maxLength: 8 });
    fc.assert(
      fc.property(
        anyOpenInput.map(goOn),
        fc.array(fate, { maxLength: 30 }),
        crashes,
        (input, fates, hits) => {
          let done = 0;
          const { input: end } = runWorld(input, {
            roundsMax: 1_000,
            inspect: checkUnfinished,
            fateOf: () => fates[done++] ?? "done",
            disturb(instances, round) {
              const now = new Set(
                hits.filter((one) => one.round === round).map((one) => one.index),
              );
              if (!instances.some((one, index) => now.has(index) && one.state === "running"))
                return instances;
              return instances.map((one, index): InstanceFact => {
                if (!now.has(index) || one.state !== "running") return one;
                const finishedAtMs = Math.max(one.startedAtMs, NOW_MS) + 1;
                return { ...one, state: "exited", health: "none", exitCode: 1, finishedAtMs };
              });
            },
          });
          checkArrived(end);
        },
      ),
      RUNS,
    );
  });

  test("does all that the plan lists, and nothing else", () => {
    fc.assert(
      fc.property(anyOpenInput, (input) => {
        const steps = makePlan(input, "pl_1").steps.map((step) => `${step.act} ${step.object}`);
        const done = runWorld(input).actions.map((action) => `${action.act} ${action.object}`);
        assert.deepEqual(steps, done);
      }),
      RUNS,
    );
  });
});

describe("a change whose new configuration does not come up", () => {
  test("is taken back everywhere once, with rollback, and then left alone", () => {
    let seen = 0;
    fc.assert(
      fc.property(anyOpenInput.map(watchChanges), (input) => {
        const broken = listChanging(input);
        const { actions, input: end } = runWorld(input, {
          roundsMax: 2_000,
          disturb: (instances) => breakNew(instances, broken),
        });
        const backs = actions.filter((action) => action.act === "service.rollback");
        const services = new Set(backs.map((action) => action.service));
        assert.deepEqual(services, broken);
        // Several slots can fail in one pass; after it nothing is tried again.
        for (const name of services) {
          const times = backs.filter((one) => one.service === name).map((one) => one.trigger.atMs);
          assert.equal(new Set(times).size, 1, `${name} does not swing`);
        }
        seen += services.size;
        checkArrived(end, ({ name, hash }) => (broken.has(name) ? `${name}-v0` : hash));
        assert.deepEqual(planReconcile({ ...end, nowMs: end.nowMs + 3_600_000 }).actions, []);
      }),
      RUNS,
    );
    assert.ok(seen > 100, `only ${seen} rollbacks were looked at`);
  });
});
