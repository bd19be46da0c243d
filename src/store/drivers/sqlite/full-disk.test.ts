// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(import.meta.resolve("#store/testing/full-disk-child.ts"));

test("on a full disk writes say store-full, reads go on, writes resume when there is space", async () => {
  const disk = await mkdtemp(join(tmpdir(), "fairlead-disk-"));
  try {
    const args = ["--mount", process.execPath, CHILD, disk];
    const run = spawnSync("unshare", args, { encoding: "utf8", timeout: 30_000 });
    assert.equal(run.status, 0, run.stderr);
  } finally {
    await rmdir(disk);
  }
});
