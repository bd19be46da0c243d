// SPDX-License-Identifier: Apache-2.0
// Old lines go, and what is left is still proven: where it begins, what is in it, where it ends.
import assert from "node:assert/strict";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { AuditReport } from "./audit.ts";
import { makeEntry, makePlace, type LogPlace } from "./testing/open-test-log.ts";
import { verifyFiles } from "./verify-files.ts";

const DAY_MS = 86_400_000;
const RETENTION = { keepMs: 3.5 * DAY_MS, sizeMaxBytes: Number.MAX_SAFE_INTEGER };

/** Six days with three lines each; the log is opened anew each day, and prunes what is over. */
async function liveSixDays(place: LogPlace, retention = RETENTION): Promise<AuditReport> {
  for (let day = 0; day < 6; day++) {
    await using log = await place.open({ aheadMs: day * DAY_MS, retention });
    for (let i = 0; i < 3; i++) await log.append(makeEntry(`day ${day}, act ${i}`));
    if (day === 5) return log.verify();
  }
  throw new Error("never");
}

const isWhole = ({ findings, heads }: AuditReport): boolean =>
  findings.length === 0 && heads.every(({ ok }) => ok);

function verifyCold({ directory, heads }: LogPlace): Promise<AuditReport> {
  const head = heads.at(-1);
  const kept = [{ keeper: "another host", head }];
  return verifyFiles({ directory, publicKey: head?.publicKey ?? "", heads: kept });
}

const listNames = ({ directory }: LogPlace): string[] => readdirSync(directory).sort();

describe("old lines of the log", () => {
  test("go by their age, file by file, and the log that is left is whole", async () => {
    using place = makePlace();
    const report = await liveSixDays(place);
    assert.ok(isWhole(report), JSON.stringify(report));
    assert.ok(report.first > 1, "older ones are gone");
    assert.equal(listNames(place).length, 4, "a file a day");
    await using log = await place.open({ aheadMs: 5 * DAY_MS });
    const kept = await log.list({ limit: 100 });
    assert.ok(kept.some(({ what }) => what === "day 2, act 0"));
    assert.ok(!kept.some(({ what }) => what.startsWith("day 1")));
    const said = kept.find(({ what }) => what === "removed old lines");
    assert.equal(said?.facts?.["to"], report.first - 1);
  });

  test("go by their size, never the newest file", async () => {
    using place = makePlace();
    const report = await liveSixDays(place, { keepMs: Number.MAX_SAFE_INTEGER, sizeMaxBytes: 1 });
    assert.ok(isWhole(report), JSON.stringify(report));
    assert.equal(listNames(place).length, 1);
  });

  test("a cut is found all the same: at the start, in the middle, at the end", async () => {
    using place = makePlace();
    await liveSixDays(place);
    const names = listNames(place);
    const copy = join(place.directory, "..", "copy");
    cpSync(place.directory, copy, { recursive: true });
    for (const [index, name] of names.entries()) {
      rmSync(join(place.directory, name));
      assert.ok(!isWhole(await verifyCold(place)), `${name} is gone`);
      if (index === 0) {
        const [finding] = (await verifyCold(place)).findings;
        assert.match(finding?.text ?? "", /^lines \d+ to \d+ are not here$/);
      }
      cpSync(join(copy, name), join(place.directory, name));
    }
    assert.ok(isWhole(await verifyCold(place)));
    for (const name of names.slice(0, 2)) rmSync(join(place.directory, name));
    assert.ok(!isWhole(await verifyCold(place)), "the two oldest are gone");
  });

  test("a crash between the word and the deed leaves a whole log", async () => {
    using place = makePlace();
    await liveSixDays(place, { ...RETENTION, keepMs: 100 * DAY_MS });
    const copy = join(place.directory, "..", "copy");
    cpSync(place.directory, copy, { recursive: true });
    const before = listNames(place);
    {
      await using log = await place.open({ aheadMs: 5 * DAY_MS, retention: RETENTION });
      assert.ok(isWhole(await log.verify()));
    }
    const [first = "", second = ""] = before;
    assert.ok(!listNames(place).includes(first));
    // As if the second had not gone yet, and then as if neither had.
    cpSync(join(copy, second), join(place.directory, second));
    assert.ok(isWhole(await verifyCold(place)));
    cpSync(join(copy, first), join(place.directory, first));
    assert.ok(isWhole(await verifyCold(place)));
  });
});
