// SPDX-License-Identifier: Apache-2.0
// Where planning stops: at what is another's, at what is not there yet, at what is nobody's failure.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import type { VolumeIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { planObserved } from "./observe.ts";
import { planReconcile } from "./reconcile.ts";
import { rememberAction } from "./remember.ts";
import { planRemoval } from "./removal.ts";
import {
  buildDependency,
  buildEnded,
  buildFacts,
  buildInput,
  buildInstance,
  buildIntent,
  buildService,
  NOW_MS,
  SCOPE,
} from "./testing/builders.ts";

const labelsOf = (scope: string) => ({ [OWN_LABELS.scope]: scope, [OWN_LABELS.key]: scope });
const data: VolumeIntent = {
  key: "data",
  name: `${SCOPE}_data`,
  external: false,
  options: {},
  labels: {},
  hash: "data-v1",
};

describe("planRemoval()", () => {
  const networks = [SCOPE, "elsewhere"].map((scope) => {
    return { id: `net-${scope}`, name: `${scope}_x`, driver: "bridge", labels: labelsOf(scope) };
  });
  const volumes = [SCOPE, "elsewhere"].map((scope) => {
    return { name: `${scope}_data`, labels: labelsOf(scope) };
  });
  const facts = buildFacts([], {
    networks: [...networks, { id: "net-found", name: "found", driver: "bridge", labels: {} }],
    volumes: [...volumes, { name: "found", labels: {} }],
  });
  const remove = (options: { volumes: boolean }): readonly string[] =>
    planRemoval(buildInput([], [], { facts }), options).actions.map(
      ({ act, object }) => `${act} ${object}`,
    );

  test("removes networks and volumes of its own scope only", () => {
    const expected = [`network.remove ${SCOPE}_x`, `volume.remove ${SCOPE}_data`];
    assert.deepEqual(remove({ volumes: true }), expected);
  });

  test("says who goes first, so that it does not count as done while nothing can be decided", () => {
    const services = [
      buildService({ name: "db" }),
      buildService({ dependsOn: [buildDependency("db")] }),
    ];
    const input = buildInput(services, [buildInstance({ service: "db" }), buildInstance()]);
    const { actions, waiting } = planRemoval(
      { ...input, busy: new Set(["web/1"]) },
      { volumes: false },
    );
    assert.deepEqual(actions, []);
    assert.deepEqual(waiting, [
      { service: "db", slot: 1, kind: "blocked", reason: "is removed after web" },
    ]);
    const going = buildInstance({ state: "removing" });
    const last = planRemoval(buildInput([], [going]), { volumes: false });
    assert.deepEqual([last.actions, last.waiting[0]?.kind], [[], "blocked"]);
  });

  test("finds what a container had without a name when it is gone, and spares what another has", () => {
    const anonymousVolumes = ["own", "shared", "gone"].map((name) => ({ name, target: "/data" }));
    const going = buildInstance({ anonymousVolumes });
    const lender = { name: "shared", target: "/x" };
    const other = buildInstance({ id: "o", scope: "elsewhere", anonymousVolumes: [lender] });
    const volumes = ["own", "shared", "found"].map((name) => ({ name, labels: {} }));
    const plan = (instances: readonly InstanceFact[], memories: Record<string, ServiceMemory>) => {
      const left = buildFacts(instances, { volumes });
      return planRemoval(buildInput([], [], { facts: left, memories }), { volumes: true }).actions;
    };
    const [removal] = plan([going, other], {});
    assert.deepEqual(removal?.leaves, ["own", "shared", "gone"]);
    const web = rememberAction(removal, NOW_MS)?.(EMPTY_SERVICE_MEMORY);
    assert.ok(web !== undefined);
    const left = plan([other], { web }).filter(({ act }) => act === "volume.remove");
    assert.deepEqual(
      left.map(({ target }) => target),
      ["own"],
    );
  });

  test("leaves data where it is unless it is asked for", () => {
    assert.deepEqual(remove({ volumes: false }), [`network.remove ${SCOPE}_x`]);
  });
});

describe("a service with a volume", () => {
  const service = buildService({ volumes: ["data"] });
  const plan = (volume: VolumeIntent, names: readonly string[]) => {
    const volumes = names.map((name) => ({ name, labels: labelsOf(SCOPE) }));
    const intent = buildIntent([service], { volumes: [volume] });
    return planReconcile(buildInput([], [], { intent, facts: buildFacts([], { volumes }) }));
  };

  test("is made in the pass after the one that makes the volume", () => {
    const { actions, waiting } = plan(data, []);
    assert.deepEqual(
      actions.map((action) => action.act),
      ["volume.create"],
    );
    assert.equal(waiting[0]?.reason, `waits for volume ${SCOPE}_data`);
    assert.equal(waiting[0]?.kind, "blocked");
  });

  test("is made at once when the volume is there, which is not made again", () => {
    const { actions } = plan(data, [data.name]);
    assert.deepEqual(
      actions.map((action) => action.act),
      ["instance.create"],
    );
  });

  test("has none made on a node of a fleet on which no instance of it stands", () => {
    const acts = (slots: number[]) => {
      const elsewhere = { ...service, slots };
      const intent = buildIntent([elsewhere], { volumes: [data] });
      const { actions } = planReconcile(buildInput([], [], { intent, facts: buildFacts([]) }));
      return actions.map(({ act }) => act);
    };
    assert.deepEqual(acts([]), []);
    assert.deepEqual(acts([1]), ["volume.create"]);
  });

  test("fails when the volume is not declared", () => {
    const { actions, waiting } = plan({ ...data, key: "other" }, []);
    assert.deepEqual(
      actions.map((action) => action.act),
      ["volume.create"],
    );
    assert.equal(waiting[0]?.kind, "failed");
    assert.equal(waiting[0]?.reason, "uses volume data, which is not declared");
  });

  test("fails when an external volume does not exist, which is not made either", () => {
    const { actions, waiting } = plan({ ...data, external: true }, []);
    assert.deepEqual(actions, []);
    assert.equal(waiting[0]?.kind, "failed");
  });
});

describe("planObserved()", () => {
  const observe = (...instances: ReturnType<typeof buildInstance>[]): readonly string[] =>
    planObserved(instances, new Set(["managed"]), NOW_MS).map((action) => action.object);

  test("tells of what has failed, also in the loneliest scope", () => {
    assert.deepEqual(observe(buildEnded(1, { name: "lost", scope: "" })), ["lost"]);
  });

  test("is silent about one-offs, what never ran, and managed scopes", () => {
    assert.deepEqual(
      observe(
        buildEnded(1, { name: "run", oneoff: true }),
        buildInstance({ state: "exited", exitCode: 127, startedAtMs: 0 }),
        buildEnded(1, { name: "other", scope: "managed" }),
        buildInstance(),
      ),
      [],
    );
  });
});

describe("restart: on-failure", () => {
  const service = buildService({ restart: { policy: "on-failure" } });
  const acts = (oomKilled: boolean): readonly string[] =>
    planReconcile(buildInput([service], [buildEnded(0, { oomKilled })])).actions.map(
      (action) => `${action.act}: ${action.trigger.kind}`,
    );

  test("takes code 0 for success, and running out of memory for failure whatever the code", () => {
    assert.deepEqual(acts(false), []);
    assert.deepEqual(acts(true), ["instance.start: oom"]);
  });
});
