// SPDX-License-Identifier: Apache-2.0
// A slot that an agent has stopped.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import { assessScope } from "./assess.ts";
import { planReconcile } from "./reconcile.ts";
import { addRequest } from "./request.ts";
import {
  buildEnded,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

const by = "agent shop/boss";
const resting = { 1: { atMs: NOW_MS - 1, by } };
const always = { ...buildService().restart, policy: "always" as const };

function look(there: readonly InstanceFact[], parts: Parameters<typeof buildMemory>[0]) {
  const memory = new Map([["web", buildMemory(parts)]]);
  const input = buildInput([buildService({ restart: always })], there, { memory });
  const reconciliation = planReconcile(input);
  const view = assessScope({ ...input, reconciliation, removing: false });
  return {
    acts: reconciliation.actions.map(({ act, trigger }) => `${act}: ${trigger.detail}`),
    state: view.services[0]?.state,
    reason: view.services[0]?.reason,
  };
}

test("it is stopped while it runs, and rests in spite of its restart policy", () => {
  assert.deepEqual(look([buildInstance()], { resting }).acts, [
    "instance.stop: agent shop/boss asked for it",
  ]);
  assert.deepEqual(look([buildEnded(137)], { resting }), {
    acts: [],
    state: "stopped",
    reason: "stopped as agent shop/boss asked",
  });
});

test("it is not changed to a new configuration; of two containers the old one goes", () => {
  const old = buildEnded(0, { hash: "older" });
  const previous = buildService({ hash: "older" });
  assert.deepEqual(look([old], { resting }).acts, []);
  const both = look([{ ...old, id: "old", name: "old" }, buildInstance()], { resting, previous });
  assert.deepEqual(both.acts, ["instance.remove: the slot rests"]);
});

test("another slot's rest does not concern it", () => {
  assert.match(
    look([buildEnded(1)], { resting: { 2: { atMs: 0, by } } }).acts[0] ?? "",
    /^instance.(re)?start/,
  );
});

test("what an agent asks to start is started at once, whatever it ended of", () => {
  const ended = buildEnded(137);
  const restartRequested = addRequest(undefined, ended, by, NOW_MS);
  assert.deepEqual(look([ended], { restartRequested }).acts, [
    "instance.start: agent shop/boss asked for it",
  ]);
  const running = buildInstance();
  assert.deepEqual(
    look([running], { restartRequested: addRequest(undefined, running, by, 1) }).acts,
    ["instance.restart: agent shop/boss asked for it"],
  );
});

test("requests of several containers are kept side by side", () => {
  const [one, two] = [buildInstance({ id: "a" }), buildInstance({ id: "b" })];
  const both = addRequest(addRequest(undefined, one, by, 1), two, by, 2);
  assert.deepEqual(Object.keys(both.startedAtMs), ["a", "b"]);
});
