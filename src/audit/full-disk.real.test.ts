// SPDX-License-Identifier: Apache-2.0
// A disk that is full: what has to be logged first is refused, notes wait, and nothing of the chain breaks. Needs root.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind } from "#base/errors.ts";
import { createSmallDisk } from "#lab/disk.ts";
import { auditErrors } from "./errors.ts";
import { makeEntry, makePlace } from "./testing/open-test-log.ts";

test("S12: a full disk refuses what is to be logged first, keeps notes, and tears no line", async () => {
  using disk = createSmallDisk({ sizeBytes: 1024 * 1024 });
  using place = makePlace(disk.path);
  await using log = await place.open();
  assert.equal(await log.append(makeEntry("before")), 1);
  disk.fill();
  let refused = 0;
  // What is left of the last block may take a few lines more.
  for (let tries = 0; tries < 100 && refused < 3; tries++) {
    await log.append(makeEntry("x".repeat(300))).catch((error: unknown) => {
      assert.ok(isKind(error, auditErrors["audit-unwritable"]), String(error));
      refused++;
    });
  }
  assert.equal(refused, 3);
  assert.match(log.problem ?? "", /cannot be written/);
  log.note(makeEntry("healed"));
  await assert.rejects(log.append(makeEntry("no")), /ENOSPC|no space/i);
  disk.free();
  await log.append(makeEntry("after"));
  assert.equal(log.problem, undefined);
  const kept = await log.list({ limit: 2 });
  assert.deepEqual(
    kept.map(({ what }) => what),
    ["after", "healed"],
  );
  assert.ok((await log.list({ limit: 1_000 })).every(({ what }) => what !== "no"));
  const { findings, heads } = await log.verify();
  assert.deepEqual([findings, heads.map(({ ok }) => ok)], [[], [true]]);
});
