// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const CHILD = join(import.meta.dirname, "testing/full-disk-child.ts");

test("a full disk refuses publishing, loses nothing, and publishing resumes", (t) => {
  const disk = mkdtempSync(join(tmpdir(), "fairlead-log-"));
  t.after(() => rmSync(disk, { recursive: true }));
  const child = spawnSync("unshare", ["--mount", process.execPath, CHILD, disk]);
  assert.equal(child.status, 0, child.stderr.toString());
});
