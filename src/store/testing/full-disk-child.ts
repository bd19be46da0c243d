// SPDX-License-Identifier: Apache-2.0
// Runs in a mount namespace of its own, so that the small disk is gone with the process, however that ends. Arguments:
// an empty directory. Exits with 0 when the store behaved.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "./manual-clock.ts";
import { listKeys, put } from "./rule.ts";

const VALUE = "x".repeat(3000);

/** Writes until the disk is full; the keys that were acknowledged. */
async function fillDisk(store: Store): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  for (;;) {
    const keys = Array.from({ length: 4 }, (_, i) =>
      `k/${acknowledged.length + i}`.padEnd(10, "_"),
    );
    const results = await Promise.allSettled(keys.map((key) => store.transact([put(key, VALUE)])));
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") acknowledged.push(keys[i] ?? "");
      else assert.ok(isKind(result.reason, storeErrors["store-full"]), String(result.reason));
    }
    if (results.some((result) => result.status === "rejected")) return acknowledged;
  }
}

async function run(disk: string): Promise<void> {
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "fairlead-small", disk]);
  assert.equal(mounted.status, 0, mounted.stderr.toString());
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
  const options = { kind: "sqlite", directory: join(disk, "store") } as const;
  const clock = createManualClock();
  let store = await openStore(options, { clock });
  const lease = await store.grantLease(1000);
  await store.transact([put("leased", 1, lease.id)]);
  const acknowledged = await fillDisk(store);
  assert.ok(acknowledged.length > 20);
  while (statfsSync(disk).bavail > 0)
    writeFileSync(join(disk, "rest"), "x".repeat(4096), { flag: "a" });

  const expected = ["leased", ...acknowledged].toSorted();
  assert.deepEqual(await listKeys(store), expected, "reading goes on");
  await clock.advance(1001);
  assert.equal(await store.renewLease(lease.id), false);

  await store[Symbol.asyncDispose]();
  store = await openStore(options, { clock });
  assert.deepEqual(await listKeys(store, "k/"), acknowledged.toSorted(), "opens on a full disk");
  await fillDisk(store);

  rmSync(ballast);
  const { revision } = await store.list("");
  assert.equal(await store.transact([put("after", 1)]), revision + 1, "writing resumes");
  await clock.advance(1001);
  assert.equal(await store.get("leased"), undefined, "the lease's keys are deleted at last");
  await store[Symbol.asyncDispose]();
}

const [, script, disk] = process.argv;
if (script === import.meta.filename && disk !== undefined) await run(disk);
