// SPDX-License-Identifier: Apache-2.0
// A change that does not come up is taken back; a service that was settled before it failed is healed as it is.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import { EMPTY_SLOT_MEMORY } from "#model/memory.ts";
import { rememberAction, tidyMemory } from "./remember.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";
import { runWorld } from "./testing/world.ts";

type Order = "start-first" | "stop-first";

/** Ends what runs of version 1, as long as `lasts` says. */
function failing(lasts: () => boolean) {
  return (instances: readonly InstanceFact[]): readonly InstanceFact[] => {
    if (!lasts() || !instances.some((i) => i.state === "running" && i.hash === "web-v1"))
      return instances;
    return instances.map((i) =>
      i.state === "running" && i.hash === "web-v1"
        ? { ...i, state: "exited", health: "none", exitCode: 1, finishedAtMs: i.startedAtMs + 100 }
        : i,
    );
  };
}

function run(order: Order, instances: readonly InstanceFact[], roundsOfFailure: number) {
  const update = {
    order,
    parallelism: 1,
    delayMs: 0,
    monitorMs: 5_000,
    onFailure: "rollback" as const,
  };
  const service = buildService({ replicas: instances.length, update });
  const memories = { web: buildMemory({ previous: { ...service, hash: "web-v0" } }) };
  let rounds = 0;
  const begun: string[] = [];
  const { input } = runWorld(buildInput([service], [...instances], { memories }), {
    roundsMax: 300,
    inspect(_, { actions }) {
      rounds++;
      for (const { act } of actions) begun.push(act);
    },
    disturb: failing(() => rounds < roundsOfFailure),
  });
  const hashes = input.facts.instances.map(({ hash, state }) => `${hash} ${state}`);
  return { hashes: hashes.toSorted(), begun };
}

const old = (slot: number) => buildInstance({ slot, hash: "web-v0" });

describe("a change with failure_action rollback", () => {
  for (const order of ["start-first", "stop-first"] as const) {
    test(`${order}: goes back when the new version does not run`, () => {
      const { hashes, begun } = run(order, [old(1), old(2)], Number.POSITIVE_INFINITY);
      assert.deepEqual(hashes, ["web-v0 running", "web-v0 running"]);
      assert.ok(begun.includes("service.rollback"));
    });

    test(`${order}: goes back also where the old container was down`, () => {
      const down = buildEnded(1, { slot: 2, hash: "web-v0" });
      const { hashes, begun } = run(order, [old(1), down], Number.POSITIVE_INFINITY);
      assert.deepEqual(hashes, ["web-v0 running", "web-v0 running"]);
      assert.ok(begun.includes("service.rollback"));
    });

    test(`${order}: an outage of a settled service is no failed change`, () => {
      const settled = [1, 2].map((slot) => buildInstance({ slot, hash: "web-v1" }));
      const { hashes, begun } = run(order, settled, 40);
      assert.ok(!begun.includes("service.rollback"), begun.join(" "));
      assert.ok(hashes.every((hash) => hash.startsWith("web-v1")));
    });
  }
});

describe("tidyMemory()", () => {
  const quarantined = { acts: [NOW_MS - 1], consecutive: 3, quarantinedAtMs: NOW_MS - 50_000 };

  test("forgets containers that are gone and quarantines that are over", () => {
    const instance = buildInstance({ startedAtMs: NOW_MS - 20_000 });
    const memory = buildMemory({
      adopted: { gone: "a", [instance.id]: "b" },
      stoppedByHand: { gone: 1 },
      slots: { "1": quarantined },
    });
    const tidied = tidyMemory(memory, [instance], NOW_MS, 10_000);
    assert.deepEqual(tidied?.adopted, { [instance.id]: "b" });
    assert.deepEqual(tidied?.stoppedByHand, {});
    assert.deepEqual(tidied?.slots["1"], { acts: [NOW_MS - 1], consecutive: 0 });
  });

  test("leaves everything else as it is", () => {
    const young = buildInstance({ startedAtMs: NOW_MS - 9_999 });
    const memory = buildMemory({ slots: { "1": quarantined } });
    for (const one of [young, { ...young, state: "exited" as const, startedAtMs: 0 }])
      assert.equal(tidyMemory(memory, [one], NOW_MS, 10_000), undefined);
    const sick = buildInstance({ health: "unhealthy", startedAtMs: 0 });
    assert.equal(tidyMemory(memory, [sick], NOW_MS, 10_000), undefined);
  });
});

test("rememberAction() says of each slot whether a change made its container", () => {
  const { changed: _none, ...empty } = EMPTY_SLOT_MEMORY;
  const base = {
    key: "web/1",
    service: "web",
    slot: 1,
    object: "shop-web-1",
    title: "t",
    inputs: {},
  };
  const make = (kind: "change" | "state") =>
    rememberAction(
      {
        ...base,
        act: "instance.create",
        trigger: { kind, detail: "", atMs: NOW_MS },
        rule: { text: "" },
        notDone: [],
      } as Parameters<typeof rememberAction>[0],
      NOW_MS,
    );
  const changed = make("change")?.(buildMemory());
  assert.deepEqual(changed?.slots["1"], { ...empty, changed: true });
  assert.deepEqual(changed && make("state")?.(changed).slots["1"], empty);
});
