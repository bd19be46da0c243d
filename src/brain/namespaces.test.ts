// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import { createGround } from "./ground.ts";
import { findNamespaceFault, resolveShared } from "./namespaces.ts";
import { compareInstances } from "./rank.ts";
import {
  buildEnded,
  buildFacts,
  buildInstance,
  buildIntent,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

const ground = (...there: InstanceFact[]) => createGround(buildIntent([]), buildFacts(there));
const app = (parts: Partial<InstanceFact> = {}): InstanceFact =>
  buildInstance({ service: "app", ...parts });
const ofApp = { kind: "service", service: "app" } as const;

describe("resolveShared()", () => {
  test("means the same slot of the other service, else its first", () => {
    const places = ground(app(), app({ slot: 2 }), app({ slot: 4 }));
    const meant = [1, 2, 3].map((slot) => resolveShared(places, ofApp, slot)?.slot);
    assert.deepEqual(meant, [1, 2, 1]);
    assert.equal(resolveShared(ground(app({ slot: 2 })), ofApp, 3), undefined);
  });

  test("means one that ended while none runs, and the one that runs while there is one", () => {
    const down = buildEnded(1, { service: "app", name: "down" });
    assert.equal(resolveShared(ground(down), ofApp, 1)?.name, "down");
    const both = ground(down, app({ name: "up", createdAtMs: 1 }));
    assert.equal(resolveShared(both, ofApp, 1)?.name, "up");
  });

  test("finds a container by its name and by its id, in whatever scope it is", () => {
    const one = buildInstance({ name: "proxy", scope: "elsewhere" });
    for (const container of ["proxy", one.id])
      assert.equal(resolveShared(ground(one), { kind: "container", container }, 1), one);
    assert.equal(resolveShared(ground(), { kind: "container", container: "proxy" }, 1), undefined);
  });
});

describe("findNamespaceFault()", () => {
  const holder = app();
  const sharer = buildInstance({ networkFrom: holder.id, pidFrom: holder.id, ipcFrom: holder.id });
  const modes = [
    ["network", { network: ofApp }, { networkFrom: "gone" }],
    ["network", { network: { kind: "container", container: holder.name } }, { networkFrom: "x" }],
    ["pid", { pid: ofApp }, { pidFrom: "gone" }],
    ["ipc", { ipc: ofApp }, { ipcFrom: "gone" }],
  ] as const;

  for (const [namespace, parts, joined] of modes) {
    const service = buildService(parts);
    test(`knows of ${namespace} who has joined what is gone: ${JSON.stringify(parts)}`, () => {
      const find = (one: InstanceFact, held = holder) =>
        findNamespaceFault(ground(held), service, one);
      assert.equal(find(sharer), undefined);
      const gone = find({ ...sharer, ...joined });
      assert.equal(gone?.kind, "gone");
      assert.match(gone?.what ?? "", new RegExp(`its ${namespace} namespace`));
      const renewed = find(sharer, { ...holder, startedAtMs: sharer.startedAtMs + 1 });
      assert.equal(renewed?.kind, "renewed");
      assert.equal(find(sharer, { ...holder, startedAtMs: sharer.startedAtMs }), undefined);
      const down = { ...sharer, state: "exited" } as const;
      assert.equal(find(down, { ...holder, startedAtMs: NOW_MS }), undefined);
      assert.equal(find({ ...sharer, ...joined }, { ...holder, state: "exited" }), undefined);
    });
  }

  test("does not look at namespaces that the service does not share", () => {
    assert.equal(findNamespaceFault(ground(holder), buildService(), sharer), undefined);
    const unjoined = buildInstance();
    const service = buildService({ pid: ofApp });
    assert.equal(findNamespaceFault(ground(holder), service, unjoined), undefined);
  });

  test("takes a name for the holder as well as an id, and either of two that run", () => {
    const service = buildService({ network: ofApp });
    const byName = buildInstance({ networkFrom: holder.name });
    const newer = app({ name: "newer", createdAtMs: NOW_MS });
    for (const one of [byName, sharer])
      assert.equal(findNamespaceFault(ground(newer, holder), service, one), undefined);
  });
});

test("compareInstances() puts what serves best first, then the newer, then by id", () => {
  const ordered = [
    app({ id: "1", health: "healthy" }),
    app({ id: "2", health: "none", createdAtMs: 9 }),
    app({ id: "3", health: "none", createdAtMs: 8 }),
    app({ id: "4", health: "none", createdAtMs: 8 }),
    app({ id: "5", health: "starting" }),
    app({ id: "6", health: "unhealthy" }),
    app({ id: "7", state: "paused" }),
    app({ id: "8", state: "restarting" }),
    app({ id: "9", state: "exited", createdAtMs: 1 }),
    app({ id: "a", state: "created", createdAtMs: 2 }),
    app({ id: "b", state: "dead", createdAtMs: 3 }),
    app({ id: "c", state: "removing", createdAtMs: 4 }),
  ];
  assert.deepEqual(ordered.toReversed().toSorted(compareInstances), ordered);
});
