// SPDX-License-Identifier: Apache-2.0
// Whatever is changed in the files is found: every byte, every line, the order, the end, the whole.
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { AuditReport } from "./audit.ts";
import { makeEntry, makePlace, type LogPlace } from "./testing/open-test-log.ts";
import { verifyFiles } from "./verify-files.ts";

const LINES = 6;

async function writeLines(place: LogPlace, count = LINES): Promise<string> {
  await using log = await place.open();
  for (let i = 1; i <= count; i++) await log.append(makeEntry(`PUT /v1/scopes/s${i}/intent`));
  const report = await log.verify();
  assert.equal(report.lines, count);
  assertWhole(report);
  return join(place.directory, readdirSync(place.directory).sort().at(-1) ?? "");
}

/** Verifies as another process would: by the files and what is kept elsewhere alone. */
function verifyCold({ directory, heads }: LogPlace): Promise<AuditReport> {
  const head = heads.at(-1);
  const publicKey = head?.publicKey ?? "";
  return verifyFiles({ directory, publicKey, heads: [{ keeper: "another host", head }] });
}

function isWhole({ findings, heads }: AuditReport): boolean {
  return findings.length === 0 && heads.every(({ ok }) => ok);
}

function assertWhole(report: AuditReport): void {
  assert.ok(isWhole(report), JSON.stringify(report));
}

const splitLines = (text: Buffer): string[] => text.toString("latin1").split("\n").slice(0, -1);

describe("verifyFiles", () => {
  test("a change of any one byte is found", async () => {
    using place = makePlace();
    const file = await writeLines(place, 3);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const edited = Buffer.from(whole);
      edited[at] = (edited[at] ?? 0) ^ (at % 2 === 0 ? 0x20 : 0x01);
      writeFileSync(file, edited);
      assert.ok(!isWhole(await verifyCold(place)), `byte ${at}`);
    }
    writeFileSync(file, whole);
    assertWhole(await verifyCold(place));
  });

  test("a byte that is put in or taken out is found, spaces and line ends too", async () => {
    using place = makePlace();
    const file = await writeLines(place, 2);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 2) {
      const less = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]);
      for (const edited of [
        less,
        Buffer.concat([whole.subarray(0, at), Buffer.from(" "), whole.subarray(at)]),
        Buffer.concat([whole.subarray(0, at), Buffer.from("\n"), whole.subarray(at)]),
      ]) {
        writeFileSync(file, edited);
        assert.ok(!isWhole(await verifyCold(place)), `at ${at}`);
      }
    }
  });

  test("lines that are gone, doubled or in another order are found, at the end too", async () => {
    using place = makePlace();
    const file = await writeLines(place);
    const lines = splitLines(readFileSync(file));
    const write = (some: readonly (string | undefined)[]): void =>
      writeFileSync(file, some.map((line) => `${line}\n`).join(""), "latin1");
    for (let i = 0; i < LINES; i++) {
      write(lines.toSpliced(i, 1));
      assert.ok(!isWhole(await verifyCold(place)), `line ${i} gone`);
      write(lines.toSpliced(i, 0, lines[i] ?? ""));
      assert.ok(!isWhole(await verifyCold(place)), `line ${i} twice`);
      write(lines.slice(0, i));
      const { findings, heads } = await verifyCold(place);
      assert.deepEqual(findings, [], "a cut tail is a whole chain");
      assert.match(heads[0]?.text ?? "", new RegExp(`knows line ${LINES}, .*ends at line ${i}`));
      for (let j = i + 1; j < LINES; j++) {
        write(lines.with(i, lines[j] ?? "").with(j, lines[i] ?? ""));
        assert.ok(!isWhole(await verifyCold(place)), `lines ${i} and ${j} swapped`);
      }
    }
    rmSync(file);
    assert.ok(!isWhole(await verifyCold(place)), "the file is gone");
  });

  test("a chain that is written anew, with hashes that fit, is found by the head", async () => {
    using place = makePlace();
    using forger = makePlace();
    const file = await writeLines(place);
    const forged = await writeLines(forger);
    cpSync(forged, file);
    const report = await verifyCold(place);
    assert.deepEqual(report.findings, []);
    assert.equal(report.heads[0]?.text, `knows another line ${LINES}`);
  });

  test("a head of another key proves nothing", async () => {
    using place = makePlace();
    using forger = makePlace();
    await writeLines(place);
    await writeLines(forger);
    const { directory } = place;
    const publicKey = place.heads.at(-1)?.publicKey ?? "";
    const head = place.heads.at(-1);
    const stranger = forger.heads.at(-1);
    assert.ok(head !== undefined && stranger !== undefined);
    for (const wrong of [
      stranger,
      { ...head, seq: 5 },
      { ...head, publicKey: stranger.publicKey },
    ]) {
      const { heads } = await verifyFiles({
        directory,
        publicKey,
        heads: [{ keeper: "k", head: wrong }],
      });
      assert.equal(heads[0]?.text, "is not signed with this node's key");
    }
  });
});

describe("openAudit", () => {
  test("an older copy is found, stays found, and is not written over", async () => {
    using place = makePlace();
    const file = await writeLines(place, 3);
    const older = readFileSync(file);
    await writeLines(place, 3).catch(() => undefined);
    writeFileSync(file, older);
    for (let start = 0; start < 2; start++) {
      await using log = await place.open();
      await log.append(makeEntry("after"));
      const report = await log.verify();
      assert.ok(report.findings.some(({ text }) => text === "lines 4 to 6 are not here"));
      assert.ok(report.findings.some(({ text }) => text.includes("another host knows line 6")));
      if (start === 0) assert.match(log.problem ?? "", /broken/);
    }
    assert.equal(statSync(file).size, older.length);
  });

  test("a file that is replaced or cut while the node runs is found at the next line", async () => {
    using place = makePlace();
    await using log = await place.open();
    for (let i = 0; i < 3; i++) await log.append(makeEntry("before"));
    const file = join(place.directory, readdirSync(place.directory)[0] ?? "");
    const whole = readFileSync(file);
    writeFileSync(file, splitLines(whole).slice(0, 2).join("\n").concat("\n"), "latin1");
    assert.ok(!isWhole(await log.verify()));
    await log.append(makeEntry("after"));
    assert.match(log.problem ?? "", /was changed while the node ran/);
    const { findings } = await log.verify();
    assert.ok(findings.some(({ text }) => text === "line 3 is not here"));
  });

  test("a line that a crash cut off is no damage: it was never confirmed", async () => {
    using place = makePlace();
    const file = await writeLines(place, 2);
    const whole = readFileSync(file);
    const torn = Buffer.concat([whole, whole.subarray(0, 50)]);
    writeFileSync(file, torn);
    await using log = await place.open();
    await log.append(makeEntry("after"));
    assertWhole(await log.verify());
    const kept = await log.list({ limit: 10 });
    assert.deepEqual(kept.map(({ what }) => what).slice(0, 2), ["after", "cut off a torn line"]);
  });
});
