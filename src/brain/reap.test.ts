// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { InstanceFact } from "#model/facts.ts";
import { planObserved } from "./observe.ts";
import { planReap } from "./reap.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

const MANAGED = new Map([["shop", new Set(["web"])]]);

function reap(instances: readonly InstanceFact[], nowMs = NOW_MS) {
  const none = { busy: new Set<string>(), held: new Map() };
  return planReap({ instances, managed: MANAGED, nowMs, ...none });
}

function tool(labels: Record<string, string>, parts: Partial<InstanceFact> = {}): InstanceFact {
  const found = { scope: "shop", service: "", name: "tool", hash: undefined };
  return buildInstance({ ...found, ...parts, labels });
}

const names = (actions: readonly { readonly object: string }[]): string[] =>
  actions.map((action) => action.object);

describe("planReap()", () => {
  test("leaves instances of the services of managed scopes to reconcile", () => {
    const labels = { "io.fairlead.scope": "shop", "fairlead.ttl": "1s", "fairlead.owner": "gone" };
    assert.deepEqual(reap([buildInstance({ labels })]).actions, []);
  });

  test("leaves to reconcile what a wanted service has, whoever made it", () => {
    const labels = { "fairlead.ttl": "1s", "fairlead.owner": "gone" };
    const found = buildInstance({ hash: undefined, labels });
    assert.deepEqual(reap([found]).actions, []);
    assert.equal(reap([found]).wakeAtMs, undefined);
    const beside = [
      { ...found, oneoff: true },
      { ...found, service: "tool" },
      { ...found, service: "" },
    ];
    for (const one of beside) assert.equal(reap([one]).actions.length, 1, one.service);
    const own = { ...labels, "io.fairlead.scope": "shop" };
    assert.deepEqual(reap([buildInstance({ service: "orphan", labels: own })]).actions, []);
  });

  test("judges by the service's limit of age or by the label, never by both", () => {
    const ages = fc.integer({ min: 1, max: 100 }).map((seconds) => seconds * 1_000);
    const limits = fc.option(ages, { nil: undefined });
    fc.assert(
      fc.property(ages, limits, ages, fc.boolean(), (ageMs, ttlMs, labelMs, adopted) => {
        const found = buildInstance({
          hash: undefined,
          labels: { "fairlead.ttl": `${labelMs / 1_000}s` },
          createdAtMs: NOW_MS - ageMs,
        });
        const web = buildService(ttlMs === undefined ? {} : { ttlMs });
        const memories = adopted ? { web: buildMemory({ adopted: { [found.id]: web.hash } }) } : {};
        const { actions } = planReconcile(buildInput([web], [found], { memories }));
        assert.deepEqual(reap([found]).actions, []);
        const due = ttlMs !== undefined && ageMs >= ttlMs;
        const acts = actions.map((action) => action.act);
        assert.deepEqual(acts, adopted ? (due ? ["instance.create"] : []) : ["instance.adopt"]);
        const elsewhere = { ...found, service: "tool" };
        assert.equal(reap([elsewhere]).actions.length, ageMs >= labelMs ? 1 : 0);
        assert.deepEqual(planReconcile(buildInput([], [elsewhere])).actions, []);
      }),
    );
  });

  test("reaps nothing because of a label that cannot be read", () => {
    assert.deepEqual(reap([tool({ "fairlead.ttl": "soon" })]).actions, []);
    assert.deepEqual(reap([tool({ "fairlead.owner": "" })]).actions, []);
  });

  test("wakes for the next end, and not again for what it has just reaped", () => {
    const old = tool({ "fairlead.ttl": "30s" });
    const young = tool({ "fairlead.ttl": "5m" }, { name: "young", id: "young" });
    const { actions, wakeAtMs } = reap([old, young]);
    assert.deepEqual(names(actions), ["tool"]);
    assert.equal(wakeAtMs, NOW_MS + 240_000);
  });

  test("knows an owner by service, name, whole id and short id", () => {
    const id = "0123456789abcdef0123456789abcdef";
    const owner = buildInstance({ id });
    for (const name of ["web", "shop-web-1", id, id.slice(0, 12)])
      assert.deepEqual(reap([owner, tool({ "fairlead.owner": name })]).actions, [], name);
    assert.equal(reap([owner, tool({ "fairlead.owner": "012345" })]).actions.length, 1);
  });

  test("does not take a service of another scope, or the container itself, for its owner", () => {
    const elsewhere = buildInstance({ scope: "other" });
    assert.equal(reap([elsewhere, tool({ "fairlead.owner": "web" })]).actions.length, 1);
    assert.equal(reap([tool({ "fairlead.owner": "tool" })]).actions.length, 1);
  });

  test("keeps what belongs to an owner while that one is replaced under a passing name", () => {
    const owner = buildInstance({ name: "shop-web-1-abc123" });
    assert.deepEqual(reap([owner, tool({ "fairlead.owner": "shop-web-1" })]).actions, []);
  });

  test("waits a moment for the owner of what has just been made", () => {
    const createdAtMs = NOW_MS - 1_000;
    const child = tool({ "fairlead.owner": "web" }, { createdAtMs });
    assert.deepEqual(reap([child]).actions, []);
    assert.equal(reap([child]).wakeAtMs, createdAtMs + 10_000);
    assert.deepEqual(names(reap([child], createdAtMs + 10_000).actions), ["tool"]);
  });

  test("gives an owner that ended the time to come back", () => {
    const owner = buildEnded(1);
    const child = tool({ "fairlead.owner": "web" });
    const { actions, wakeAtMs } = reap([owner, child]);
    assert.deepEqual(actions, []);
    assert.equal(wakeAtMs, NOW_MS + 59_000);
    assert.deepEqual(names(reap([owner, child], NOW_MS + 59_000).actions), ["tool"]);
  });

  test("takes an owner that is dead, or being removed, for gone", () => {
    for (const state of ["dead", "removing"] as const) {
      const child = tool({ "fairlead.owner": "web" });
      assert.equal(reap([buildInstance({ state }), child]).actions.length, 1, state);
    }
  });

  test("lets the last of several owners decide, in whatever order they are listed", () => {
    const long = buildEnded(1, { slot: 1, finishedAtMs: NOW_MS - 300_000 });
    const short = buildEnded(1, { slot: 2, finishedAtMs: NOW_MS - 1_000 });
    const child = tool({ "fairlead.owner": "web" });
    for (const owners of [
      [long, short],
      [short, long],
    ]) {
      assert.equal(reap([...owners, child]).wakeAtMs, NOW_MS + 59_000);
      const lives = buildInstance({ slot: 3 });
      assert.deepEqual(reap([...owners, lives, child]).actions, []);
      assert.deepEqual(reap([lives, ...owners, child]).actions, []);
    }
  });

  test("asks those of its own service, where a container names that, and not itself", () => {
    const labels = { "fairlead.owner": "tool" };
    const twins = [1, 2].map((slot) =>
      tool(labels, { service: "tool", name: `tool-${slot}`, slot }),
    );
    assert.deepEqual(reap(twins).actions, []);
    const [one, two] = twins;
    assert.ok(one !== undefined && two !== undefined);
    const gone: InstanceFact = { ...two, state: "dead" };
    for (const pair of [
      [one, gone],
      [gone, one],
    ])
      assert.deepEqual(names(reap(pair).actions).toSorted(), ["tool-1"]);
  });

  test("waits after a failure, and tries again", () => {
    const held = new Map([["reap/id-tool", { untilMs: NOW_MS + 500, reason: "no", final: false }]]);
    const instances = [tool({ "fairlead.ttl": "1s" })];
    const input = { instances, managed: MANAGED, nowMs: NOW_MS, busy: new Set<string>(), held };
    assert.deepEqual(planReap(input).actions, []);
    assert.equal(planReap(input).wakeAtMs, NOW_MS + 500);
    assert.equal(planReap({ ...input, nowMs: NOW_MS + 500 }).actions.length, 1);
  });
});

describe("planObserved()", () => {
  test("tells what it would do where nothing is managed, and of managed scopes nothing", () => {
    const ill = buildInstance({ scope: "other", health: "unhealthy", hash: undefined });
    const ended = buildEnded(2, { scope: "", service: "", name: "alone", hash: undefined });
    const fine = [
      buildEnded(0, { scope: "other", slot: 2 }),
      buildInstance({ scope: "other", slot: 3 }),
    ];
    const mine = buildEnded(1);
    const told = planObserved([ill, ended, ...fine, mine], MANAGED, NOW_MS);
    assert.deepEqual(
      told.map((action) => action.title),
      ["would restart other-web-1", "would restart alone"],
    );
    assert.match(told[0]?.notDone[0]?.why ?? "", /scope other is observed/);
    assert.deepEqual(
      told.map((action) => action.service),
      ["web", undefined],
    );
  });

  test("has another key for each failure, so that each is told once", () => {
    const first = buildEnded(1, { scope: "other" });
    const second = { ...first, startedAtMs: first.startedAtMs + 1 };
    const keys = [first, first, second].map((one) => planObserved([one], MANAGED, NOW_MS)[0]?.key);
    assert.equal(keys[0], keys[1]);
    assert.notEqual(keys[0], keys[2]);
  });
});
