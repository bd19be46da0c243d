// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { createRegistry } from "./registry.ts";
import { createSickList } from "./sick-list.ts";

const record: AgentRecord = {
  id: "a-1",
  name: "a",
  scope: "s",
  kind: "agent",
  addresses: [],
  contracts: [],
  skills: [],
  subscriptions: [],
  version: "0.0.0",
  tags: {},
  locality: {},
  load: 0,
  draining: false,
  healthy: true,
  ttlMs: 5_000,
  joinedAtMs: 0,
};

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
  assert.deepEqual(seen, [false, false, true, false, false, false]);
});
