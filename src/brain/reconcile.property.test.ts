// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import { OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import { EMPTY_SERVICE_MEMORY } from "#model/memory.ts";
import { isManaged, isOwn, isUnfinished, type ReconcileInput } from "./pass.ts";
import { makePlan } from "./plan.ts";
import { planReconcile } from "./reconcile.ts";
import { planRemoval } from "./removal.ts";
import { anyInput } from "./testing/arbitraries.ts";
import { SCOPE } from "./testing/builders.ts";
import { runWorld, type Fate, type Outcome } from "./testing/world.ts";

const RUNS = { numRuns: 250, endOnFailure: true, includeErrorInReport: true };

function memoryOf(input: ReconcileInput, service: string) {
  return input.memory.get(service) ?? EMPTY_SERVICE_MEMORY;
}

function targetOf(input: ReconcileInput, action: PlannedAction): InstanceFact | undefined {
  return input.facts.instances.find((instance) => instance.id === action.target);
}

/** What no pass may ever do, whatever the facts. */
function checkPass(input: ReconcileInput, { actions }: Reconciliation): void {
  const keys = actions.map((action) => action.key);
  assert.equal(new Set(keys).size, keys.length, "one action a key");
  for (const action of actions) {
    const target = targetOf(input, action);
    if (target === undefined) continue;
    const what = `${action.act} ${target.name}`;
    assert.equal(target.scope, SCOPE, `${what} is of another scope`);
    assert.equal(target.oneoff, false, `${what} is a one-off`);
    assert.notEqual(target.state, "removing", `${what} is being removed`);
    const known = isManaged(target, memoryOf(input, target.service));
    if (isUnfinished(target)) assert.equal(action.act, "instance.remove", `${what} is unfinished`);
    if (!known) assert.equal(action.act, "instance.adopt", `${what} is not Fairlead's`);
    assert.ok(!isLeftAlone(input, target, action), `${what} is fine and current`);
  }
}

/** Fine, current, alone in its slot, hanging on nothing, and nobody asked for anything. */
function isLeftAlone(input: ReconcileInput, one: InstanceFact, action: PlannedAction): boolean {
  const { intent, facts } = input;
  const service = intent.services.find((candidate) => candidate.name === one.service);
  const memory = memoryOf(input, one.service);
  if (service === undefined || one.slot > service.replicas || isUnfinished(one)) return false;
  if (action.act === "instance.rename" || action.act === "instance.adopt") return false;
  const peers = facts.instances.filter(
    (other) =>
      other.scope === SCOPE &&
      other.service === one.service &&
      other.slot === one.slot &&
      !other.oneoff,
  );
  const network = facts.networks.find((found) => found.name === `${SCOPE}_default`);
  return (
    peers.length === 1 &&
    (memory.adopted[one.id] ?? one.hash) === service.hash &&
    one.state === "running" &&
    one.health !== "unhealthy" &&
    service.network.kind !== "service" &&
    service.dependsOn.every((dependency) => !dependency.restart) &&
    network?.labels[OWN_LABELS.hash] !== "default-v0" &&
    memory.rolloutFailed === undefined &&
    memory.restartRequested === undefined &&
    memory.recreateRequested === undefined
  );
}

/** Every slot has exactly what is wanted, or it is said why not; nothing of Fairlead's is beyond. */
function checkConverged({ input, last }: Outcome): void {
  const { services } = input.intent;
  const managed = input.facts.instances.filter(
    (i) => i.scope === SCOPE && !i.oneoff && isManaged(i, memoryOf(input, i.service)),
  );
  for (const service of services) {
    const mine = managed.filter((instance) => instance.service === service.name);
    const said = last.waiting.some((entry) => entry.service === service.name);
    for (let slot = 1; slot <= service.replicas; slot++) {
      const here = mine.filter((instance) => instance.slot === slot);
      const running = here.filter((instance) => instance.state === "running");
      // In the middle of a change that something holds up, both stay, and it is said what; they run both where the new one comes first.
      const held = last.waiting.some((w) => w.service === service.name && w.slot === slot);
      const both = held && service.update.order !== "stop-first";
      assert.ok(running.length <= (both ? 2 : 1), `${service.name}/${slot} runs ${running.length}`);
      assert.ok(here.length <= (held ? 2 : 1), `${service.name}/${slot} has ${here.length}`);
      assert.ok(here.length === 1 || said, `${service.name}/${slot} is empty and nobody says why`);
    }
    const beyond = mine.filter((instance) => instance.slot > service.replicas);
    assert.deepEqual(beyond, [], `${service.name} has a surplus`);
  }
  const names = new Set(services.map((service) => service.name));
  assert.deepEqual(
    managed.filter((instance) => isOwn(instance) && !names.has(instance.service)),
    [],
    "orphans",
  );
}

function listForeign(input: ReconcileInput): string[] {
  return input.facts.instances
    .filter((i) => i.scope !== SCOPE || i.oneoff || i.hash === undefined)
    .map((i) => `${i.id} ${i.state}`)
    .sort();
}

function shuffle<T>(items: readonly T[], seed: number): T[] {
  const keyed = items.map((item, i) => ({ item, key: Math.sin(seed + i * 7.3) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

describe("planReconcile(), whatever the facts and the intent", () => {
  test("comes to an end in a bounded number of passes, with every slot right or explained", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        checkConverged(runWorld(input, { inspect: checkPass, roundsMax: 400 }));
      }),
      RUNS,
    );
  });

  test("decides nothing more once it has come to an end, not even an hour later", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const end = runWorld(input).input;
        assert.deepEqual(planReconcile(end).actions, []);
        assert.deepEqual(planReconcile({ ...end, nowMs: end.nowMs + 3_600_000 }).actions, []);
      }),
      RUNS,
    );
  });

  test("leaves no duplicate when acts fail, are cut off, and instances crash", () => {
    const fate = fc.constantFrom<Fate>("done", "done", "refused", "cut", "unfinished");
    const crash = fc.record({
      round: fc.nat(15),
      index: fc.nat(9),
      exitCode: fc.constantFrom(0, 1),
    });
    fc.assert(
      fc.property(
        anyInput,
        fc.array(fate, { maxLength: 40 }),
        fc.array(crash),
        (input, fates, crashes) => {
          let done = 0;
          const outcome = runWorld(input, {
            inspect: checkPass,
            fateOf: () => fates[done++] ?? "done",
            disturb(instances, round) {
              const now = crashes.filter((one) => one.round === round);
              if (now.length === 0) return instances;
              const hit = new Map(now.map((one) => [one.index % (instances.length || 1), one]));
              return instances.map((instance, index): InstanceFact => {
                const blow = hit.get(index);
                return blow === undefined ||
                  instance.state !== "running" ||
                  instance.scope !== SCOPE
                  ? instance
                  : {
                      ...instance,
                      state: "exited",
                      health: "none",
                      exitCode: blow.exitCode,
                      finishedAtMs: instance.startedAtMs + 1,
                    };
              });
            },
          });
          checkConverged(outcome);
        },
      ),
      RUNS,
    );
  });

  test("is a function of its input, in whatever order the engine lists its containers", () => {
    fc.assert(
      fc.property(anyInput, fc.nat(), (input, seed) => {
        const facts = { ...input.facts, instances: shuffle(input.facts.instances, seed) };
        assert.deepEqual(planReconcile({ ...input, facts }), planReconcile(input));
        assert.deepEqual(planReconcile(input), planReconcile(input));
      }),
      RUNS,
    );
  });

  test("never touches what is not Fairlead's and was not adopted", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { actions } = runWorld(input);
        const adopted = new Set(
          actions.filter((a) => a.act === "instance.adopt").map((a) => a.target),
        );
        const before = listForeign(input).filter((line) => !adopted.has(line.split(" ")[0]));
        const after = new Set(listForeign(runWorld(input).input));
        for (const line of before) assert.ok(after.has(line), `${line} was touched`);
      }),
      RUNS,
    );
  });
});

describe("makePlan()", () => {
  test("lists exactly what the loop then does", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const steps = makePlan(input, "pl_1").steps.map((step) => `${step.act} ${step.object}`);
        const { actions } = runWorld(input);
        const done = actions.map((action) => `${action.act} ${action.object}`);
        assert.deepEqual(done.slice(0, steps.length), steps);
      }),
      RUNS,
    );
  });
});

describe("planRemoval(), whatever the facts and the intent", () => {
  test("ends with nothing of Fairlead's, dependants first, and touches nothing else", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = (now: ReconcileInput): Reconciliation => planRemoval(now, { volumes: true });
        const { input: end, last } = runWorld(input, {
          plan,
          inspect(now, { actions }) {
            for (const action of actions) {
              const target = targetOf(now, action);
              if (target !== undefined) assert.ok(isOwn(target) && target.scope === SCOPE);
            }
          },
        });
        assert.deepEqual(last.waiting, []);
        const own = end.facts.instances.filter((i) => i.scope === SCOPE && isOwn(i) && !i.oneoff);
        assert.deepEqual(own, []);
        assert.deepEqual(listForeign(end), listForeign(input));
        const left = end.facts.networks.filter((n) => n.labels[OWN_LABELS.scope] === SCOPE);
        assert.deepEqual(left, []);
      }),
      RUNS,
    );
  });
});
