// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { awaitAbort } from "#base/await-abort.ts";
import { mergeWatches } from "./merge-watches.ts";

const CHANGES = 200;
const TURNS_MAX = 50;

test("what was told is not kept while another watch is silent", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const told: WeakRef<object>[] = [];
  async function* follow(source: string, signal: AbortSignal) {
    if (source === "silent") return await awaitAbort(signal);
    for (let revision = 1; ; revision++) {
      await nextTurn();
      const value = { revision };
      told.push(new WeakRef(value));
      yield [{ kind: "put", key: source, value, revision } as const];
    }
  }
  const watch = mergeWatches(["busy", "silent"], follow, new AbortController().signal);
  for (let count = 0; count < CHANGES; count++) await watch.next();
  const countKept = (): number => told.filter((one) => one.deref() !== undefined).length;
  for (let turn = 0; turn < TURNS_MAX && countKept() > CHANGES / 10; turn++) {
    await nextTurn();
    collect();
  }
  assert.ok(countKept() <= CHANGES / 10, `${countKept()} of ${told.length} are kept`);
  await watch.return();
});
