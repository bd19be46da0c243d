// SPDX-License-Identifier: Apache-2.0
// A slot that has what is wanted, and what may be done to it all the same.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { ReconcileInput } from "./pass.ts";
import { planReconcile } from "./reconcile.ts";
import { makeRequest } from "./request.ts";
import { applyActions } from "./simulate.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  HEALTHCHECK,
  NOW_MS,
  SCOPE,
} from "./testing/builders.ts";

function decide(there: readonly InstanceFact[], parts: Partial<ReconcileInput> = {}) {
  const { actions, waiting } = planReconcile(buildInput([buildService()], there, parts));
  return { acts: actions.map(({ act, object }) => `${act} ${object}`), actions, waiting };
}

describe("the name of a slot", () => {
  test("goes to the one that is left with a passing name, once it is free", () => {
    const passing = buildInstance({ name: "shop-web-1-abc" });
    assert.deepEqual(decide([passing]).acts, ["instance.rename shop-web-1"]);
    const taken = buildInstance({ name: "shop-web-1", scope: "elsewhere" });
    assert.deepEqual(decide([passing, taken]).acts, []);
    assert.deepEqual(decide([buildInstance()]).acts, []);
  });

  test("is not forced upon one that was adopted", () => {
    const found = buildInstance({ name: "odd", hash: undefined });
    const adopted = { [found.id]: "web-v1" };
    const memory = new Map([["web", buildMemory({ adopted })]]);
    assert.deepEqual(decide([found], { memory }).acts, []);
  });
});

describe("a slot with two instances", () => {
  test("loses the worse one, unless the engine is removing it already", () => {
    const worse = buildInstance({ name: "worse", createdAtMs: 1 });
    assert.deepEqual(decide([worse, buildInstance()]).acts, ["instance.remove worse"]);
    assert.deepEqual(decide([{ ...worse, state: "removing" }, buildInstance()]).acts, []);
  });
});

test("joining a namespace again says where that stands in the file", () => {
  const at = (line: number) => ({ file: "compose.yaml", line });
  const there = [buildInstance({ service: "db" }), buildInstance({ networkFrom: "gone" })];
  const lineOf = (origins: Record<string, ReturnType<typeof at>>) => {
    const network = { kind: "service", service: "db" } as const;
    const web = buildService({ network, at: at(2), origins });
    const services = [buildService({ name: "db" }), web];
    return planReconcile(buildInput(services, there)).actions[0]?.rule.at?.line;
  };
  assert.deepEqual([lineOf({ network_mode: at(7) }), lineOf({})], [7, 2]);
});

describe("a start that the engine refused", () => {
  const created = buildInstance({ state: "created", startedAtMs: 0 });
  const held = new Map([["web/1", { untilMs: NOW_MS - 1, reason: "no", final: true }]]);

  test("counts against the budget when it is tried again, and the first does not", () => {
    const again = decide([created], { held });
    assert.deepEqual(again.acts, ["instance.start shop-web-1"]);
    assert.deepEqual(again.actions[0]?.budget, { used: 1, max: 5, windowMs: 600_000 });
    assert.equal(decide([created]).actions[0]?.budget, undefined);
  });
});

describe("a restart that was asked for", () => {
  const service = buildService({ replicas: 2 });
  const requested = (there: readonly InstanceFact[]) =>
    buildInput([service], there, {
      memories: {
        web: buildMemory({ restartRequested: makeRequest(SCOPE, "web", there, NOW_MS) }),
      },
    });

  test("goes at the pace of a change, and is told so", () => {
    const { actions, waiting } = planReconcile(
      requested([buildInstance(), buildInstance({ slot: 2 })]),
    );
    assert.deepEqual(
      actions.map(({ act, object, title, trigger, rule }) => [
        act,
        object,
        title,
        trigger.kind,
        rule.text,
      ]),
      [["instance.restart", "shop-web-1", "restarted web-1", "person", "fairlead restart"]],
    );
    assert.equal(actions[0]?.trigger.atMs, NOW_MS);
    assert.equal(waiting[0]?.kind, "updating");
  });

  test("leaves what has failed to the ladder", () => {
    const { actions } = planReconcile(requested([buildEnded(1), buildInstance({ slot: 2 })]));
    assert.equal(actions[0]?.title, "restarted web-1");
    assert.equal(actions[0]?.budget?.used, 1);
  });
});

test("what is simulated bears the name of its slot, or a passing one while that is taken", () => {
  const service = buildService({
    hash: "0123456789",
    container: { Image: "app:1", Healthcheck: HEALTHCHECK },
  });
  const make = (there: readonly InstanceFact[]): InstanceFact | undefined => {
    const input = buildInput([service], []);
    const { actions } = planReconcile(input);
    const world = applyActions(buildInput([service], there), actions, 7);
    return world.facts.instances.find((one) => one.id === "new000000008");
  };
  const first = make([]);
  assert.deepEqual(
    [first?.name, first?.state, first?.health, first?.startedAtMs, first?.exitCode],
    ["shop-web-1", "running", "healthy", NOW_MS, 0],
  );
  assert.equal(
    make([buildInstance({ scope: "elsewhere", name: "shop-web-1" })])?.name,
    "shop-web-1-012345",
  );
});
