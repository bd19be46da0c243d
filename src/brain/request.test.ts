// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceMemory } from "#model/memory.ts";
import type { ReconcileInput } from "./pass.ts";
import { planReconcile } from "./reconcile.ts";
import { tidyMemory } from "./remember.ts";
import { makeRequest } from "./request.ts";
import { applyActions } from "./simulate.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
  SCOPE,
} from "./testing/builders.ts";

const HOUR_MS = 3_600_000;
const update = { ...buildService().update, parallelism: 0, monitorMs: 0 };
const service = buildService({ replicas: 2, update: { ...update, order: "stop-first" } });

/** Runs the loop with an engine whose clock is `aheadMs` ahead of the node's; returns what was done. */
function runShifted(first: ReconcileInput, aheadMs: number): string[] {
  const done: string[] = [];
  let input = first;
  for (let round = 0; round < 8; round++) {
    const { actions } = planReconcile(input);
    done.push(...actions.map((action) => `${action.act} ${action.object}`));
    const nowMs = input.nowMs + 1_000;
    const world = applyActions({ ...input, nowMs }, actions, round * 10);
    const shift = (atMs: number): number => (atMs === nowMs ? atMs + aheadMs : atMs);
    const instances = world.facts.instances.map((one): InstanceFact => ({
      ...one,
      createdAtMs: shift(one.createdAtMs),
      startedAtMs: shift(one.startedAtMs),
    }));
    const facts = { ...world.facts, instances };
    const memory = new Map(
      [...world.memory].map(([name, known]): [string, ServiceMemory] => [
        name,
        tidyMemory(known, instances, nowMs, 10_000) ?? known,
      ]),
    );
    input = { ...input, nowMs, facts, memory };
  }
  const { restartRequested, recreateRequested } = input.memory.get("web") ?? buildMemory();
  assert.equal(restartRequested ?? recreateRequested, undefined, "the request is forgotten");
  return done;
}

function listThere(aheadMs: number): InstanceFact[] {
  const startedAtMs = NOW_MS - 60_000 + aheadMs;
  return [1, 2].map((slot) => buildInstance({ slot, createdAtMs: startedAtMs, startedAtMs }));
}

function withRequest(kind: "restartRequested" | "recreateRequested", aheadMs: number) {
  const there = listThere(aheadMs);
  const web = buildMemory({ [kind]: makeRequest(SCOPE, "web", there, NOW_MS) });
  return buildInput([service], there, { memories: { web } });
}

describe("a request to renew what is there", () => {
  for (const aheadMs of [0, HOUR_MS, -HOUR_MS]) {
    const clock = `with an engine clock ${aheadMs / HOUR_MS} h ahead`;

    test(`restarts each instance once ${clock}`, () => {
      assert.deepEqual(runShifted(withRequest("restartRequested", aheadMs), aheadMs), [
        "instance.restart shop-web-1",
        "instance.restart shop-web-2",
      ]);
    });

    test(`replaces each instance once ${clock}`, () => {
      assert.deepEqual(runShifted(withRequest("recreateRequested", aheadMs), aheadMs), [
        "instance.replace shop-web-1",
        "instance.replace shop-web-2",
      ]);
    });

    test(`leaves what was made or started since ${clock}`, () => {
      const [first, second] = listThere(aheadMs);
      assert.ok(first !== undefined && second !== undefined);
      const restartRequested = makeRequest(SCOPE, "web", [first, second], NOW_MS);
      const web = buildMemory({ restartRequested, recreateRequested: restartRequested });
      const now = NOW_MS + aheadMs;
      const since = { ...first, startedAtMs: now };
      const made = { ...second, id: "newer", createdAtMs: now, startedAtMs: now };
      const onlyRestart = buildMemory({ restartRequested });
      const input = buildInput([service], [since, made], { memories: { web: onlyRestart } });
      assert.deepEqual(planReconcile(input).actions, []);
      const both = buildInput([service], [since, made], { memories: { web } });
      assert.deepEqual(
        planReconcile(both).actions.map((action) => action.target),
        [first.id],
        "started since, and still the container that was to be replaced",
      );
    });
  }

  test("starts what rests, also where it never ran", () => {
    const job = buildService({ restart: { policy: "no" } });
    for (const one of [buildEnded(0), buildInstance({ state: "created", startedAtMs: 0 })]) {
      const restartRequested = makeRequest(SCOPE, "web", [one], NOW_MS);
      const memories = { web: buildMemory({ restartRequested }) };
      const { actions } = planReconcile(buildInput([job], [one], { memories }));
      assert.deepEqual(
        actions.map((action) => action.act),
        ["instance.start"],
      );
    }
  });

  test("is about the instances of one service of one scope, one-offs left out", () => {
    const mine = buildInstance({ startedAtMs: 7 });
    const others = [
      buildInstance({ service: "db" }),
      buildInstance({ scope: "elsewhere" }),
      buildInstance({ name: "run", oneoff: true }),
    ];
    assert.deepEqual(makeRequest(SCOPE, "web", [...others, mine], NOW_MS), {
      atMs: NOW_MS,
      startedAtMs: { [mine.id]: 7 },
    });
  });

  test("is kept for those that still owe it, and forgotten after the last", () => {
    const [first, second] = listThere(0);
    assert.ok(first !== undefined && second !== undefined);
    const request = makeRequest(SCOPE, "web", [first, second], NOW_MS);
    const memory = buildMemory({ restartRequested: request, recreateRequested: request });
    const tidy = (instances: readonly InstanceFact[]) =>
      tidyMemory(memory, instances, NOW_MS, 10_000);
    assert.equal(tidy([first, second]), undefined);
    const again = { ...first, startedAtMs: NOW_MS };
    const restarted = tidy([again, second]);
    assert.deepEqual(restarted?.restartRequested?.startedAtMs, { [second.id]: second.startedAtMs });
    assert.equal(restarted?.recreateRequested, request);
    const replaced = tidy([{ ...first, id: "newer" }, second]);
    assert.deepEqual(Object.keys(replaced?.recreateRequested?.startedAtMs ?? {}), [second.id]);
    assert.equal(replaced?.recreateRequested?.atMs, NOW_MS);
    const none = tidy([]);
    assert.ok(
      none !== undefined && !("restartRequested" in none) && !("recreateRequested" in none),
    );
  });
});
