// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planReconcile } from "./reconcile.ts";
import { buildInput, buildInstance, buildService } from "./testing/builders.ts";

const services = [buildService({ singleton: true }), buildService({ name: "other" })];
const instances = [buildInstance(), buildInstance({ service: "other" })];

function look(fence: "open" | "unsure" | "shut", there = instances) {
  const { actions, waiting } = planReconcile({ ...buildInput(services, there), fence });
  const own = actions.filter(({ service }) => service !== undefined);
  return {
    acts: own.map(({ act, object }) => `${act} ${object}`),
    waits: waiting.map(({ service }) => service),
  };
}

test("a singleton stops where another node may start it, and nothing else does", () => {
  assert.deepEqual(look("open"), { acts: [], waits: [] });
  assert.deepEqual(look("shut"), { acts: ["instance.remove shop-web-1"], waits: ["web"] });
});

test("a node that has just started neither stops nor starts one", () => {
  assert.deepEqual(look("unsure"), { acts: [], waits: ["web"] });
  const none = [buildInstance({ service: "other" })];
  assert.deepEqual(look("unsure", none), { acts: [], waits: ["web"] });
  assert.deepEqual(look("shut", none), { acts: [], waits: ["web"] });
});
