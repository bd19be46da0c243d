// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isKind } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";
import type { MessageLog } from "./message-log.ts";
import { openLog, type LogOptions } from "./open.ts";

let nowMs = 1_000_000;
const clock = {
  nowMs: () => nowMs,
  monotonicMs: () => nowMs,
  sleep: (_: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason)),
    ),
};
const never = new AbortController().signal;
const OPTIONS = {
  name: "g",
  pattern: "a.>",
  from: "now",
  ackTimeoutMs: 100,
  attemptsMax: 2,
  inFlightMax: 10,
} as const;
let count = 0;
function publish(log: MessageLog, key?: string, id = `id-${++count}`) {
  return log.publish({
    subject: "a.b",
    payload: Buffer.from(id),
    id,
    headers: { h: "1" },
    atMs: nowMs,
    ...(key !== undefined && { key }),
  });
}

function withDirectory(t: { after(f: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-log-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

for (const kind of ["sqlite", "memory"] as const) {
  const configure = (t: { after(f: () => void): void }): LogOptions =>
    kind === "memory" ? { kind } : { kind, path: join(withDirectory(t), "log.db") };

  test(`${kind}: an id is stored once in its window`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const first = await publish(log, undefined, "same");
    assert.deepEqual(await publish(log, undefined, "same"), { ...first, duplicate: true });
    nowMs += 120_001;
    assert.equal((await publish(log, undefined, "same")).duplicate, false);
  });

  test(`${kind}: a key is delivered in order, one at a time`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const group = await log.openGroup(OPTIONS);
    for (const key of ["k", "k", undefined]) await publish(log, key);
    const taken = await group.take(10, never);
    assert.deepEqual(
      taken.map(({ key }) => key),
      ["k", undefined],
    );
    const waiting = group.take(10, never);
    await group.ack(taken[0]?.sequence ?? 0);
    assert.equal((await waiting)[0]?.key, "k");
  });

  test(`${kind}: a timeout delivers again, and too many make a dead letter`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    assert.equal((await group.take(1, never))[0]?.attempt, 1);
    nowMs += 101;
    assert.equal((await group.take(1, never))[0]?.attempt, 2);
    nowMs += 101;
    const [dead] = await group.take(1, never);
    assert.equal(dead?.subject, "a.b.dead");
    assert.equal(dead.headers["dead-sequence"], `${sequence}`);
    assert.equal(dead.headers["dead-attempts"], "2");
    assert.deepEqual(log.stats().dead, [{ subject: "a.b.dead", count: 1 }]);
  });

  test(`${kind}: a full log refuses and goes on after an acknowledgement`, async (t) => {
    await using log = openLog({ ...configure(t), bytesMax: 100 }, { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    await assert.rejects(
      publish(log),
      (thrown) => isKind(thrown, fabricErrors["log-full"]) && thrown.retryable,
    );
    await group.take(1, never);
    await group.ack(sequence);
    await publish(log);
  });
}

test("acknowledgements and attempts survive a restart, and damage is not served", async (t) => {
  const path = join(withDirectory(t), "log.db");
  {
    await using log = openLog({ kind: "sqlite", path }, { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    await publish(log);
    await group.take(2, never);
    await group.ack(sequence);
  }
  const raw = new DatabaseSync(path);
  {
    await using log = openLog({ kind: "sqlite", path }, { clock });
    const taken = await (await log.openGroup(OPTIONS)).take(9, never);
    assert.deepEqual(
      taken.map(({ attempt }) => attempt),
      [2],
    );
    await publish(log);
    raw.exec("UPDATE messages SET payload = x'00'");
    await assert.rejects((await log.openGroup(OPTIONS)).take(9, never), (thrown) =>
      isKind(thrown, fabricErrors["log-corrupt"]),
    );
  }
  raw.close();
});
