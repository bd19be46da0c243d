// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { computeBackoff } from "./backoff.ts";
import { describeHeal, healRule, readBudget, rememberAct } from "./heal.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

const service = buildService({ heal: { ladder: "restart", actsMax: 3, windowMs: 60_000 } });

describe("computeBackoff()", () => {
  test("is nothing before the first act, then grows, and never exceeds 60 s", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1, max: 1_000 }), fc.string(), (consecutive, seed) => {
        const waitMs = computeBackoff(consecutive, seed);
        if (consecutive <= 0) assert.equal(waitMs, 0);
        else assert.ok(waitMs >= 250 && waitMs <= 60_000);
        if (consecutive < 9) assert.ok(computeBackoff(consecutive + 1, seed) >= waitMs);
      }),
    );
  });

  test("differs between instances, and is the same for one", () => {
    const waits = Array.from({ length: 50 }, (_, i) => computeBackoff(5, `shop-web-${i}`));
    assert.ok(Math.max(...waits) - Math.min(...waits) > 0.15 * Math.min(...waits));
    assert.ok(new Set(waits).size > 40);
    assert.equal(computeBackoff(5, "shop-web-1"), computeBackoff(5, "shop-web-1"));
  });
});

describe("readBudget()", () => {
  test("counts what lies within the window, and tells when the next act is free", () => {
    const acts = [70_000, 50_000, 30_000, 10_000].map((ago) => NOW_MS - ago);
    const budget = readBudget(service, { acts, consecutive: 4 }, NOW_MS, 0);
    assert.equal(budget.used, 3);
    assert.equal(budget.freeAtMs, NOW_MS + 10_000);
    assert.equal(budget.consecutive, 4);
  });

  test("forgives failures in a row after a run of 10 s, or of restart_policy.window", () => {
    const slot = { acts: [], consecutive: 4 };
    assert.equal(readBudget(service, slot, NOW_MS, 9_999).consecutive, 4);
    assert.equal(readBudget(service, slot, NOW_MS, 10_000).consecutive, 0);
    const patient = { ...service, restart: { policy: "always" as const, windowMs: 60_000 } };
    assert.equal(readBudget(patient, slot, NOW_MS, 59_000).consecutive, 4);
  });

  test("does not count acts that a clock set back has left in the future", () => {
    const slot = { acts: [NOW_MS + 3_600_000, NOW_MS + 3_600_001], consecutive: 2 };
    assert.equal(readBudget(service, slot, NOW_MS, 0).used, 0);
  });

  test("never holds more acts than the window, however many were remembered", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(90_000), { maxLength: 60 }), (steps) => {
        let slot = { acts: [] as readonly number[], consecutive: 0 };
        let nowMs = NOW_MS;
        for (const stepMs of steps) {
          nowMs += stepMs;
          if (readBudget(service, slot, nowMs, 0).used >= 3) continue;
          slot = rememberAct(slot, slot.consecutive, 60_000, nowMs);
          assert.ok(slot.acts.length <= 3);
        }
      }),
    );
  });
});

describe("the ladder", () => {
  const healing = { ...service, restart: { policy: "always" as const } };
  const ago = (...list: number[]): number[] => list.map((ms) => NOW_MS - ms);

  test("waits out the back-off and says until when", () => {
    const memory = buildMemory({ slots: { "1": { acts: ago(2_000), consecutive: 4 } } });
    const ended = buildEnded(1, {}, 100);
    const pass = planReconcile(buildInput([healing], [ended], { memories: { web: memory } }));
    assert.deepEqual(pass.actions, []);
    const dueMs = NOW_MS - 1_000 + computeBackoff(4, "shop-web-1");
    assert.equal(pass.wakeAtMs, dueMs);
    const later = planReconcile(
      buildInput([healing], [ended], { memories: { web: memory }, nowMs: dueMs }),
    );
    assert.equal(later.actions[0]?.act, "instance.start");
  });

  test("goes on when the wall clock was set back by an hour", () => {
    const slots = { "1": { acts: [NOW_MS + 3_600_000], consecutive: 1 } };
    const ended = buildEnded(1, { finishedAtMs: NOW_MS + 3_600_000 }, 100);
    const input = buildInput([healing], [ended], { memories: { web: buildMemory({ slots }) } });
    assert.equal(planReconcile(input).actions[0]?.act, "instance.start");
  });

  test("says in each decision which rung comes next and what is spent", () => {
    const slots = { "1": { acts: ago(50_000), consecutive: 0 } };
    const input = buildInput([healing], [buildEnded(137)], {
      memories: { web: buildMemory({ slots }) },
    });
    const [action] = planReconcile(input).actions;
    assert.deepEqual(action?.budget, { used: 2, max: 3, windowMs: 60_000 });
    assert.deepEqual(action?.notDone, [
      { what: "recreate web-1", why: "restart 2 of 3 comes first" },
    ]);
    assert.equal(action?.rule.text, "fairlead.heal restart max=3/1m");
    assert.equal(action?.inputs["exitCode"], 137);
  });

  test("quarantines once, not in each pass", () => {
    const acts = ago(3_000, 2_000, 1_000);
    const quiet = { "1": { acts, consecutive: 3, quarantinedAtMs: NOW_MS - 500 } };
    const loud = { "1": { acts, consecutive: 3 } };
    for (const [slots, count] of [
      [loud, 1],
      [quiet, 0],
    ] as const) {
      const input = buildInput([healing], [buildEnded(1, {}, 100)], {
        memories: { web: buildMemory({ slots }) },
      });
      const { actions, waiting } = planReconcile(input);
      assert.equal(actions.length, count);
      assert.equal(waiting[0]?.kind, "quarantined");
    }
  });

  test("is left to go on when the engine refuses a start for good, and ends with another container", () => {
    const held = new Map([
      ["web/1", { untilMs: NOW_MS - 1, reason: "no such network", final: true }],
    ]);
    const slots = { "1": { acts: ago(5_000, 4_000), consecutive: 2 } };
    const input = buildInput([healing], [buildEnded(1, { finishedAtMs: NOW_MS - 4_000 }, 100)], {
      held,
      memories: { web: buildMemory({ slots }) },
    });
    assert.equal(planReconcile(input).actions[0]?.act, "instance.replace");
  });

  test("does not start again what the engine itself restarts or a person has frozen", () => {
    for (const state of ["restarting", "paused", "removing"] as const) {
      const input = buildInput([healing], [buildInstance({ state })]);
      assert.deepEqual(planReconcile(input).actions, []);
    }
  });
});

test("describeHeal() writes the ladder as the label does", () => {
  assert.equal(describeHeal(buildService()), "restart max=5/10m");
  assert.equal(describeHeal({ ...service, heal: { ...service.heal, ladder: "off" } }), "off");
});

test("healRule() says where the nearest word stands: the label, the restart policy, the service", () => {
  const at = (line: number) => ({ file: "compose.yaml", line });
  const label = { ...service.heal, at: at(9) };
  const restart = { policy: "always" as const, at: at(5) };
  const lines = [{ heal: label, restart }, { restart }, {}].map(
    (parts) => healRule({ ...service, at: at(2), ...parts }).at?.line,
  );
  assert.deepEqual(lines, [9, 5, 2]);
});
