// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { assessScope, observeScope } from "./assess.ts";
import type { ReconcileInput } from "./pass.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildIntent,
  buildMemory,
  buildService,
  HEALTHCHECK,
  NOW_MS,
} from "./testing/builders.ts";

function assess(input: ReconcileInput, removing = false) {
  return assessScope({ ...input, reconciliation: planReconcile(input), removing });
}

function stateOf(
  parts: Partial<ServiceIntent>,
  instances: readonly InstanceFact[],
  memory?: ServiceMemory,
): string {
  const memories = memory === undefined ? {} : { web: memory };
  return (
    assess(buildInput([buildService(parts)], instances, { memories })).services[0]?.state ?? ""
  );
}

describe("assessScope()", () => {
  const off = { ladder: "off" as const, actsMax: 5, windowMs: 60_000 };
  const checked = { container: { Image: "app:1", Healthcheck: HEALTHCHECK } };
  const spent = { "1": { acts: [1, 2, 3, 4, 5].map((i) => NOW_MS - i), consecutive: 5 } };

  test("says of each service how it stands", () => {
    const cases: [string, string][] = [
      ["ok", stateOf({}, [buildInstance()])],
      ["starting", stateOf({}, [])],
      ["starting", stateOf(checked, [buildInstance({ health: "starting" })])],
      ["updating", stateOf({ hash: "web-v2" }, [buildInstance()])],
      ["healing", stateOf({}, [buildEnded(1)])],
      ["healing", stateOf({}, [buildInstance({ state: "restarting" })])],
      ["quarantined", stateOf({}, [buildEnded(1)], buildMemory({ slots: spent }))],
      ["degraded", stateOf({ heal: { ...off, ladder: "alert" } }, [buildEnded(1)])],
      ["degraded", stateOf({ heal: off }, [buildEnded(1)])],
      ["degraded", stateOf({ heal: off }, [buildInstance({ health: "unhealthy" })])],
      ["completed", stateOf({ restart: { policy: "default" } }, [buildEnded(0)])],
      ["stopped", stateOf({ restart: { policy: "no" } }, [buildEnded(1)])],
      ["stopped", stateOf({ replicas: 0 }, [])],
      ["paused", stateOf({}, [buildInstance({ state: "paused" })])],
      ["paused", stateOf({}, [buildEnded(1)], buildMemory({ pausedUntilMs: NOW_MS + 1 }))],
    ];
    for (const [index, [wanted, state]] of cases.entries())
      assert.equal(state, wanted, `case ${index}`);
  });

  test("says why a service is at rest, and until when it is paused", () => {
    const job = buildService({ restart: { policy: "default" } });
    const [view] = assess(buildInput([job], [buildEnded(0)])).services;
    assert.match(view?.reason ?? "", /^ended with code 0/);
    assert.equal(view !== undefined && "pausedUntilMs" in view, false);
    for (const [untilMs, shown] of [
      [NOW_MS + 1, NOW_MS + 1],
      [NOW_MS, undefined],
    ]) {
      const memories = { web: buildMemory({ pausedUntilMs: untilMs ?? 0 }) };
      const paused = assess(buildInput([buildService()], [buildInstance()], { memories }));
      assert.equal(paused.services[0]?.pausedUntilMs, shown);
    }
  });

  test("shows times and codes only of what has happened", () => {
    const shown = (one: InstanceFact) => {
      const [view] = assess(buildInput([buildService()], [one])).services[0]?.instances ?? [];
      return [view?.startedAtMs, view?.finishedAtMs, view?.exitCode];
    };
    const never = buildInstance({ state: "created", startedAtMs: 0 });
    assert.deepEqual(shown(never), [undefined, undefined, undefined]);
    const ended = buildEnded(3);
    assert.deepEqual(shown(ended), [ended.startedAtMs, ended.finishedAtMs, 3]);
    const again = { ...ended, state: "running" } as const;
    assert.deepEqual(shown(again), [ended.startedAtMs, ended.finishedAtMs, undefined]);
  });

  test("is settled only when all is at rest and nothing is decided or running", () => {
    const services = [buildService()];
    assert.equal(assess(buildInput(services, [buildInstance()])).settled, true);
    assert.equal(assess(buildInput(services, [])).settled, false);
    const busy = new Set(["web/1"]);
    assert.equal(assess(buildInput(services, [buildInstance()], { busy })).settled, false);
    assert.equal(assess(buildInput(services, [buildInstance()]), true).settled, false);
  });

  test("counts what is wanted, runs, is healthy and current, and shows the surplus too", () => {
    const service = buildService({ replicas: 3, ...checked });
    const there = [
      buildInstance({ slot: 1, health: "healthy" }),
      buildInstance({ slot: 2, health: "starting", hash: "web-v0" }),
      buildInstance({ slot: 4, health: "healthy" }),
    ];
    const [view] = assess(buildInput([service], there)).services;
    assert.deepEqual(
      [view?.wanted, view?.running, view?.healthy, view?.current, view?.instances.length],
      [3, 2, 1, 1, 3],
    );
  });

  test("gives a warning to the service whose lines it is in", () => {
    const services = [
      buildService({ name: "a", at: { file: "compose.yaml", line: 2 } }),
      buildService({ name: "b", at: { file: "compose.yaml", line: 9 } }),
    ];
    const diagnostic = {
      severity: "warning" as const,
      id: "FL0210",
      slug: "unknown-label",
      message: "fairlead.hela is not known",
      at: { file: "compose.yaml", line: 7 },
    };
    const intent = buildIntent(services, { diagnostics: [diagnostic] });
    const view = assess(buildInput(services, [], { intent }));
    assert.deepEqual(
      view.services.map((service) => service.warnings.length),
      [1, 0],
    );
  });

  test("shows the budget that the worst of its slots has used", () => {
    const slots = { "1": { acts: [NOW_MS - 1], consecutive: 1 }, "2": spent["1"] };
    const input = buildInput([buildService({ replicas: 2 })], [], {
      memories: { web: buildMemory({ slots }) },
    });
    assert.equal(assess(input).services[0]?.healUsed, 5);
    const { windowMs } = buildService().heal;
    const acts = [NOW_MS - windowMs, NOW_MS - windowMs + 1];
    const old = buildInput([buildService()], [], {
      memories: { web: buildMemory({ slots: { "1": { acts, consecutive: 2 } } }) },
    });
    assert.equal(assess(old).services[0]?.healUsed, 1);
  });
});

describe("observeScope()", () => {
  test("takes what there is for what is wanted, and says what is ill", () => {
    const view = observeScope("other", [
      buildInstance({ scope: "other", service: "a" }),
      buildInstance({ scope: "other", service: "b", health: "unhealthy" }),
      buildEnded(3, { scope: "other", service: "c" }),
      buildEnded(0, { scope: "other", service: "d" }),
    ]);
    assert.deepEqual(
      view.services.map((service) => `${service.name} ${service.state}`),
      ["a ok", "b degraded", "c degraded", "d stopped"],
    );
    assert.ok(view.settled && view.services.every((service) => service.mode === "observe"));
  });
});
