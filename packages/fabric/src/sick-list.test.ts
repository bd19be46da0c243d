// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import { createRegistry } from "./registry.ts";
import { createSickList } from "./sick-list.ts";

const record = recordOf("a", { id: "a-1" });

test("who is on the list is unhealthy for others, and what it says of itself comes back", () => {
  const registry = createRegistry();
  const list = createSickList(registry);
  registry.put(list.judge(record));
  const seen: boolean[] = [];
  registry.watch(({ agent }) => seen.push(agent.healthy));
  list.set(new Set(["a-1", "unknown"]));
  assert.equal(registry.get("a-1")?.healthy, false);
  list.set(new Set(["a-1"]));
  registry.put(list.judge({ ...record, load: 1 }));
  assert.equal(registry.get("a-1")?.healthy, false, "an update of its own does not make it well");
  list.set(new Set());
  assert.equal(registry.get("a-1")?.healthy, true);
  list.set(new Set(["a-1"]));
  registry.put(list.judge({ ...record, healthy: false }));
  list.set(new Set());
  assert.equal(registry.get("a-1")?.healthy, false, "it said itself that it is ill");
  assert.deepEqual(seen, [false, false, true, false, false]);
});

test("whose container is about to be stopped takes nothing new, ill or not", () => {
  const registry = createRegistry();
  const list = createSickList(registry);
  registry.put(record);
  const draw = (): string => {
    const { healthy, draining } = registry.get("a-1") ?? {};
    return `${healthy === true ? "well" : "ill"}${draining === true ? ", leaving" : ""}`;
  };
  const [none, one] = [new Set<string>(), new Set(["a-1"])];
  list.set(none, one);
  assert.equal(draw(), "well, leaving");
  list.set(one, one);
  assert.equal(draw(), "ill, leaving");
  list.set(one);
  assert.equal(draw(), "ill");
  list.set(none, one);
  registry.put(list.judge({ ...record, draining: true }));
  list.set(none);
  assert.equal(draw(), "well, leaving", "it said so itself");
});
