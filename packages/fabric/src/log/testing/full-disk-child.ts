// SPDX-License-Identifier: Apache-2.0
// Runs in a mount namespace of its own, so that the small disk is gone with the process. Argument: an empty directory.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { GROUP, realClock } from "./crash-child.ts";

async function run(disk: string): Promise<void> {
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "fairlead-small", disk]);
  assert.equal(mounted.status, 0, mounted.stderr.toString());
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
  await using log = openLog({ kind: "sqlite", path: join(disk, "log.db") }, { clock: realClock });
  const group = await log.openGroup(GROUP);
  const payload = Buffer.alloc(3000, "x");
  const publish = (id: string) =>
    log.publish({ subject: "crash.full", payload, id, headers: {}, atMs: Date.now() });
  const kept: number[] = [];
  let refused: unknown;
  while (refused === undefined) {
    try {
      kept.push((await publish(`id-${kept.length}`)).sequence);
    } catch (thrown) {
      refused = thrown;
    }
  }
  assert.ok(refused instanceof FabricError && refused.reason === "log-full", String(refused));
  assert.ok(kept.length > 20 && statfsSync(disk).blocks > 0);
  rmSync(ballast);
  kept.push((await publish("after")).sequence);
  const taken: number[] = [];
  while (taken.length < kept.length) {
    for (const { sequence } of await group.take(50, AbortSignal.timeout(10_000))) {
      taken.push(sequence);
      await group.ack(sequence);
    }
  }
  assert.deepEqual(taken, kept);
}

const [, , disk] = process.argv;
if (disk !== undefined) await run(disk);
