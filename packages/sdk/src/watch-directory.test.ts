// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@fairlead/fabric/registry.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import { watchDirectory } from "./watch-directory.ts";

function record(name: string, load = 0): AgentRecord {
  return recordOf(name, { id: `${name}.1`, load });
}

test("a reader that is slow gets the latest of each agent, and nothing of who came and went unseen", async () => {
  const directory = createRegistry();
  directory.put(record("a"));
  directory.put(record("b"));
  const ending = new AbortController();
  const changes = watchDirectory(directory, {}, ending.signal);
  const first = await changes.next();
  assert.equal(first.value?.agent.name, "a");
  for (let load = 1; load <= 10_000; load++) {
    directory.put(record("a", load));
    directory.put(record("b", load));
    directory.put(record(`brief-${load}`));
    directory.remove(`brief-${load}.1`, "left");
  }
  directory.put(record("c"));
  const seen: string[] = [];
  const read = async (count: number): Promise<void> => {
    for (let number = 0; number < count; number++) {
      const { value } = await changes.next();
      seen.push(`${value?.type} ${value?.agent.name} ${value?.agent.load}`);
    }
  };
  await read(3);
  assert.deepEqual(seen.splice(0).toSorted(), ["changed a 10000", "up b 10000", "up c 0"]);
  directory.remove("a.1", "connection-lost");
  directory.put(record("a", 7));
  directory.remove("b.1", "left");
  directory.put(record("d"));
  await read(3);
  assert.deepEqual(seen.toSorted(), ["changed a 7", "gone b 10000", "up d 0"]);
  ending.abort();
  assert.equal((await changes.next()).done, true);
});
