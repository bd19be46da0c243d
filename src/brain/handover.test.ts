// SPDX-License-Identifier: Apache-2.0
// The old and the new container of one slot side by side: who goes, and why.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  HEALTHCHECK,
  NOW_MS,
} from "./testing/builders.ts";

const { update, heal } = buildService();
const HASH = "0123456789abcdef";
const old = buildInstance({ name: "old", hash: "web-v0" });
const young = { name: "new", hash: HASH, createdAtMs: NOW_MS - 5_000 };
const ended = buildEnded(1, young, 100);
const ill = buildInstance({ ...young, startedAtMs: NOW_MS - 5_000, health: "unhealthy" });

function decide(
  there: readonly InstanceFact[],
  parts: Partial<ServiceIntent> = {},
  memory: Partial<ServiceMemory> = {},
) {
  const service = buildService({ hash: HASH, ...parts });
  const memories = { web: buildMemory(memory) };
  const { actions, waiting } = planReconcile(buildInput([service], there, { memories }));
  return { acts: actions.map((a) => `${a.act} ${a.object}: ${a.title}`), actions, waiting };
}

describe("a new instance that fails beside the old one", () => {
  const goesOn = { ...update, onFailure: "continue" as const };
  const spent = { slots: { "1": { acts: [1, 2].map((i) => NOW_MS - i), consecutive: 2 } } };

  test("is tried again before the change is given up", () => {
    const { acts, waiting } = decide([old, ended]);
    assert.deepEqual(acts, ["instance.start new: restarted web-1"]);
    assert.deepEqual(waiting, []);
    const once = { slots: { "1": { acts: [NOW_MS - 1], consecutive: 1 } } };
    const later = decide([old, ended], {}, once);
    assert.deepEqual([later.acts, later.waiting[0]?.kind], [[], "backoff"]);
  });

  test("stops the change after two tries, or at once when it is unhealthy", () => {
    for (const [one, memory] of [
      [ended, spent],
      [ill, {}],
    ] as const) {
      const { acts, actions, waiting } = decide([old, one], {}, memory);
      assert.deepEqual(acts, ["service.pauseRollout new: stopped the change of web"]);
      assert.equal(actions[0]?.inputs["failed"], HASH.slice(0, 12));
      assert.deepEqual(waiting, []);
    }
  });

  test("is not given tries for acts on the container before it", () => {
    const acts = [NOW_MS - 9_000, NOW_MS - 8_000];
    const before = { slots: { "1": { acts, consecutive: 2 } } };
    const [action] = decide([old, ended], {}, before).actions;
    assert.equal(action?.act, "instance.start");
    const mixed = { slots: { "1": { acts: [NOW_MS - 9_000, NOW_MS - 1], consecutive: 2 } } };
    assert.equal(decide([old, ended], {}, mixed).actions[0]?.act, "service.pauseRollout");
  });

  test("is healed where a change goes on, and takes over once its tries are spent", () => {
    assert.deepEqual(decide([old, ill], { update: goesOn }).acts, [
      "instance.restart new: restarted web-1",
    ]);
    assert.deepEqual(decide([old, ended], { update: goesOn }, spent).acts, [
      "instance.remove old: removed the old web-1",
    ]);
  });

  test("takes over at once where a change goes on and nobody heals", () => {
    for (const ladder of ["off", "alert"] as const) {
      const parts = { update: goesOn, heal: { ...heal, ladder } };
      const { acts, actions, waiting } = decide([old, ended], parts);
      assert.deepEqual(acts, ["instance.remove old: removed the old web-1"]);
      assert.equal(actions[0]?.rule.text, "update_config.failure_action continue");
      assert.equal(actions[0]?.successor, ended.id);
      assert.deepEqual(waiting, []);
    }
  });

  test("is given up without a try where nobody heals", () => {
    const { acts } = decide([old, ended], { heal: { ...heal, ladder: "off" } });
    assert.deepEqual(acts, ["service.pauseRollout new: stopped the change of web"]);
  });
});

describe("a new instance that has ended and is not wanted back", () => {
  const restart = { policy: "no" } as const;
  const done = buildEnded(0, young, 100);

  test("takes over when it has done what it was for", () => {
    const { acts, actions } = decide([old, done], { restart });
    assert.deepEqual(acts, ["instance.remove old: removed the old web-1"]);
    assert.equal(actions[0]?.rule.text, "restart: no");
  });

  test("stops the change when it ended badly, unless the change goes on whatever happens", () => {
    const { acts, actions } = decide([old, ended], { restart });
    assert.deepEqual(acts, ["service.pauseRollout new: stopped the change of web"]);
    assert.match(actions[0]?.trigger.detail ?? "", /^the new web-1 ended with code 1/);
    const goesOn = decide([old, ended], { restart, update: { ...update, onFailure: "continue" } });
    assert.deepEqual(goesOn.acts, ["instance.remove old: removed the old web-1"]);
  });

  test("takes over as well where a change is being taken back: there is nothing further back", () => {
    const back = { update: { ...update, onFailure: "rollback" as const }, restart };
    const failed = { hash: "web-v2", atMs: NOW_MS, reason: "it did not come up" };
    const previous = buildService({ hash: HASH, ...back });
    const { acts } = decide(
      [old, ended],
      { hash: "web-v2", ...back },
      { previous, rolloutFailed: failed },
    );
    assert.deepEqual(acts, ["instance.remove old: removed the old web-1"]);
  });
});

describe("a new instance that is watched beside the old one", () => {
  test("is waited for until its time is over, or for its health check, however long that takes", () => {
    const now = { ...young, startedAtMs: NOW_MS - 1_000 };
    const plain = decide([old, buildInstance(now)]);
    assert.deepEqual([plain.acts, plain.waiting[0]?.untilMs], [[], NOW_MS + 4_000]);
    const checked = decide([old, buildInstance({ ...now, health: "starting" })]);
    assert.deepEqual([checked.acts, checked.waiting[0]?.untilMs], [[], undefined]);
    assert.equal(checked.waiting[0]?.reason, "waits for the new web-1 to be healthy");
    const ready = decide([old, buildInstance({ ...now, health: "healthy" })]);
    assert.deepEqual(ready.acts, ["instance.remove old: removed the old web-1"]);
  });
});

test("an old instance is kept alive until its turn comes, and it is said why no more is done", () => {
  const ill = buildInstance({ slot: 2, hash: "web-v0", health: "unhealthy" });
  const now = buildInstance({ ...young, startedAtMs: NOW_MS - 1_000 });
  const { acts, actions } = decide([now, ill], { replicas: 2 });
  const restart = acts.indexOf("instance.restart shop-web-2: restarted web-2");
  assert.ok(restart >= 0, acts.join());
  assert.deepEqual(actions[restart]?.notDone, [
    { what: "recreate web-2", why: "it is changed when its turn comes" },
  ]);
});

test("a change says from which configuration to which", () => {
  const { actions } = decide([buildInstance({ hash: "fedcba9876543210" })]);
  assert.deepEqual(actions[0]?.inputs, { had: "fedcba987654", wanted: "0123456789ab" });
});

describe("a new instance that was made and not started", () => {
  const created = buildInstance({ ...young, state: "created", startedAtMs: 0 });

  test("is started beside the old one, or takes its place where they cannot be side by side", () => {
    assert.deepEqual(decide([old, created]).acts, ["instance.start new: started the new web-1"]);
    const { acts, actions } = decide([old, created], {
      update: { ...update, order: "stop-first" },
    });
    assert.deepEqual(acts, ["instance.replace new: recreated web-1"]);
    assert.deepEqual([actions[0]?.target, actions[0]?.successor], [old.id, created.id]);
  });
});

describe("a new instance whose old one is gone", () => {
  const container = {
    Image: "app:1",
    Healthcheck: { ...HEALTHCHECK, Interval: 2e9, Timeout: 1e9, StartPeriod: 4e9 },
  };
  const previous = buildService({ hash: "web-v0" });
  const slots = { "1": { acts: [], consecutive: 0, changed: true } };
  const aged = (ageMs: number, parts: Partial<ServiceIntent>) => {
    const times = { createdAtMs: NOW_MS - ageMs, startedAtMs: NOW_MS - ageMs };
    const one = buildInstance({ hash: HASH, health: "unhealthy", ...times });
    const back = { update: { ...update, onFailure: "rollback" as const }, ...parts };
    return decide([one], back, { previous, slots });
  };
  const limits: [string, number, Partial<ServiceIntent>][] = [
    ["monitor, a good run, the start period and all checks and one more", 31_000, { container }],
    [
      "the engine's defaults where the check says nothing",
      135_000,
      { container: { Image: "app:1", Healthcheck: { Test: ["CMD", "check"] } } },
    ],
    ["monitor and a good run without a check", 15_000, {}],
    [
      "the same where the check is switched off",
      15_000,
      { container: { ...container, Healthcheck: { ...container.Healthcheck, Test: ["NONE"] } } },
    ],
  ];
  for (const [what, limitMs, parts] of limits) {
    test(`is taken back within a time, and healed after it: ${what}`, () => {
      const within = aged(limitMs, parts);
      assert.equal(within.actions[0]?.act, "service.rollback");
      assert.deepEqual(within.waiting, [], "what is given up is not healed as well");
      assert.equal(aged(limitMs + 1, parts).actions[0]?.act, "instance.restart");
    });
  }
});
