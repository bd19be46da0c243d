// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld } from "./world.ts";

const LOOKS = 200;
/** When the last of them reaches the store again. */
const REACHED_AT = 100;
const LOOK_MS = 50;

test("while a store that lost everything is told all again, by one node later than by others, each node stays alive for the others", async () => {
  const world = createWorld(5, 4);
  await world.pass(8_000);
  await world.want(4);
  await world.pass(20_000);
  const ids = world.hosts.map(({ id }) => id);
  const seen = new Set<string>();
  const [late = ""] = ids;
  world.cut(late, "store");
  world.wipe();
  for (let look = 0; look < LOOKS; look++) {
    await world.pass(LOOK_MS);
    if (look === REACHED_AT) world.mend();
    for (const { id, node } of world.hosts) {
      const views = node?.roll.list() ?? [];
      for (const other of ids)
        seen.add(views.find((view) => view.id === other)?.state ?? `${other} is unknown to ${id}`);
    }
  }
  world.end();
  assert.deepEqual([...seen], ["alive"]);
});
