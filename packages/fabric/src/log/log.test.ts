// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { IdleGroup } from "./idle-groups.ts";
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

  test(`${kind}: who no longer holds a message cannot settle it`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const [slow, quick] = [await log.openGroup(OPTIONS), await log.openGroup(OPTIONS)];
    const { sequence } = await publish(log);
    await slow.take(1, never);
    nowMs += 101;
    assert.equal((await quick.take(1, never))[0]?.attempt, 2);
    await slow.nack(sequence, { delayMs: 0 });
    await slow.ack(sequence);
    await slow.release();
    await slow[Symbol.asyncDispose]();
    const [{ inFlight, waiting } = { inFlight: 0, waiting: 0 }] = log.stats().groups;
    assert.deepEqual([inFlight, waiting], [1, 0]);
    await quick.ack(sequence);
    assert.deepEqual(log.stats().groups, []);
  });

  test(`${kind}: what is given back unbegun counts no attempt, and each handle has its own bound`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const one = await log.openGroup({ ...OPTIONS, inFlightMax: 2 });
    const other = await log.openGroup({ ...OPTIONS, inFlightMax: 2 });
    for (let n = 0; n < 5; n++) await publish(log);
    const held = await one.take(10, never);
    assert.equal(held.length, 2);
    assert.equal((await other.take(10, never)).length, 2);
    await one.release();
    const again = await one.take(10, never);
    assert.deepEqual(again, held);
  });

  test(`${kind}: a message is claimed by who had it before, unless another has it`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const before = await log.openGroup(OPTIONS);
    const sequences: number[] = [];
    for (const key of ["a", "b", undefined]) sequences.push((await publish(log, key)).sequence);
    const never_ = (await publish(log, "c")).sequence;
    await before.take(3, never);
    await before[Symbol.asyncDispose]();
    const [other, back] = [await log.openGroup(OPTIONS), await log.openGroup(OPTIONS)];
    await other.take(1, never);
    assert.deepEqual(await back.claim([...sequences, never_, 999]), sequences.slice(1));
    await back.ack(sequences[1] ?? 0);
    await back.release();
    assert.equal((await back.take(1, never))[0]?.attempt, 1);
  });

  test(`${kind}: patterns of one group are groups of their own`, async (t) => {
    await using log = openLog(configure(t), { clock });
    const all = await log.openGroup(OPTIONS);
    const other = await log.openGroup({ ...OPTIONS, pattern: "x.*" });
    await publish(log);
    await log.publish({ subject: "x.y", payload: Buffer.from("x"), id: "x", headers: {}, atMs: 1 });
    assert.deepEqual(
      [...(await all.take(9, never)), ...(await other.take(9, never))].map((one) => one.subject),
      ["a.b", "x.y"],
    );
  });

  test(`${kind}: a full log refuses and goes on after an acknowledgement`, async (t) => {
    await using log = openLog({ ...configure(t), bytesMax: 100 }, { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    await assert.rejects(
      publish(log),
      (thrown) => thrown instanceof FabricError && thrown.reason === "log-full" && thrown.retryable,
    );
    await group.take(1, never);
    await group.ack(sequence);
    await publish(log);
  });
}

for (const kind of ["sqlite", "memory"] as const)
  test(`${kind}: a group that nobody reads goes after its time, with what waits for it`, async (t) => {
    const DAY_MS = 86_400_000;
    const over: IdleGroup[] = [];
    const path = join(withDirectory(t), "log.db");
    const options = { kind, path, keepGroupsMs: 7 * DAY_MS };
    await using log = openLog(options, { clock, onGroupOver: (group) => over.push(group) });
    const passDays = async (days: number): Promise<void> => {
      nowMs += days * DAY_MS;
      await publish(log);
    };
    const group = await log.openGroup(OPTIONS);
    await passDays(30);
    assert.equal(log.stats().groups[0]?.idle, undefined);
    await group[Symbol.asyncDispose]();
    await passDays(6);
    nowMs += 1_000;
    assert.deepEqual(log.stats().groups[0]?.idle, {
      forMs: 6 * DAY_MS + 1_000,
      goesInMs: DAY_MS - 1_000,
    });
    await (await log.openGroup(OPTIONS))[Symbol.asyncDispose]();
    await passDays(6);
    const reading = await log.openGroup({ ...OPTIONS, name: "other" });
    assert.deepEqual(over, [], "who comes back has all of its time again");
    await passDays(2);
    assert.deepEqual(
      over.map(({ name, pattern, waiting }) => ({ name, pattern, waiting })),
      [{ name: "g", pattern: "a.>", waiting: 3 }],
    );
    assert.deepEqual(
      log.stats().groups.map(({ group: name, waiting }) => ({ name, waiting })),
      [{ name: "other", waiting: 1 }],
    );
    await reading[Symbol.asyncDispose]();
  });

test("a log that is full of what nobody reads has room again when that goes", async () => {
  const options = { kind: "memory", bytesMax: 1_000, keepGroupsMs: 86_400_000 } as const;
  await using log = openLog(options, { clock });
  await (await log.openGroup(OPTIONS))[Symbol.asyncDispose]();
  const fill = async (): Promise<void> => {
    for (;;) await publish(log);
  };
  await assert.rejects(fill(), { reason: "log-full" });
  nowMs += 86_400_000 - 60_000;
  await assert.rejects(publish(log), { reason: "log-full" });
  nowMs += 60_000;
  await publish(log);
});

test("a group goes in its time though others come and leave all the while", async () => {
  const over: string[] = [];
  const options = { kind: "memory", keepGroupsMs: 300_000 } as const;
  await using log = openLog(options, { clock, onGroupOver: ({ name }) => over.push(name) });
  await (await log.openGroup(OPTIONS))[Symbol.asyncDispose]();
  for (let minutes = 0; minutes < 6; minutes += 0.5) {
    nowMs += 30_000;
    await (await log.openGroup({ ...OPTIONS, name: "other" }))[Symbol.asyncDispose]();
    await publish(log);
  }
  assert.deepEqual(over, ["g"]);
});

test("time in which the log is not open, or that only the wall clock shows, takes nobody's messages", async (t) => {
  const options = { kind: "sqlite", path: join(withDirectory(t), "log.db") } as const;
  let [wallMs, steadyMs] = [0, 0];
  const own = { ...clock, nowMs: () => wallMs, monotonicMs: () => steadyMs };
  const open = (): MessageLog => openLog(options, { clock: own });
  const keepsOne = async (): Promise<boolean> => {
    await using log = open();
    steadyMs += 3 * 86_400_000;
    await publish(log, undefined, `at ${wallMs}`);
    return log.stats().groups.length === 1;
  };
  {
    await using log = open();
    await using _ = await log.openGroup(OPTIONS);
  }
  wallMs += 365 * 86_400_000;
  assert.ok(await keepsOne());
  // The steady clock begins anew with the machine.
  steadyMs = 0;
  assert.ok(await keepsOne());
  assert.ok(!(await keepsOne()), "but nine days of being open are too many");
});

test("acknowledgements and attempts survive a restart", async (t) => {
  const path = join(withDirectory(t), "log.db");
  {
    await using log = openLog({ kind: "sqlite", path }, { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    await publish(log);
    await group.take(2, never);
    await group.ack(sequence);
  }
  await using log = openLog({ kind: "sqlite", path }, { clock });
  const taken = await (await log.openGroup(OPTIONS)).take(9, never);
  assert.deepEqual(
    taken.map(({ attempt }) => attempt),
    [2],
  );
});

test("what waits for its delay waits for the rest of it after a restart, whatever the wall clock says", async (t) => {
  const path = join(withDirectory(t), "log.db");
  const isGiven = async (wallMs: number): Promise<boolean> => {
    // Another process: its monotonic clock begins anew.
    const other = { ...clock, nowMs: () => wallMs, monotonicMs: () => 5 };
    await using log = openLog({ kind: "sqlite", path }, { clock: other });
    const group = await log.openGroup(OPTIONS);
    const ending = new AbortController();
    const taken = group.take(1, ending.signal).then(
      () => true,
      () => false,
    );
    // What could be taken was, before this commit; no group hears of this one.
    const [id, subject] = [`after ${wallMs}`, "elsewhere"];
    await log.publish({ id, subject, payload: new Uint8Array(), headers: {}, atMs: wallMs });
    ending.abort();
    return taken;
  };
  {
    await using log = openLog({ kind: "sqlite", path }, { clock });
    const group = await log.openGroup(OPTIONS);
    const { sequence } = await publish(log);
    await group.take(1, never);
    await group.nack(sequence, { delayMs: 1_000 });
  }
  assert.equal(await isGiven(nowMs + 400), false);
  assert.equal(await isGiven(nowMs - 3_600_000), false);
  assert.equal(await isGiven(nowMs + 1_000), true);
});

test("damage is never given out: it is a dead letter, and the rest goes on", async (t) => {
  const path = join(withDirectory(t), "log.db");
  const bad: number[] = [];
  {
    await using log = openLog({ kind: "sqlite", path }, { clock });
    await log.openGroup(OPTIONS);
    for (const key of ["k", "k", undefined, undefined])
      bad.push((await publish(log, key)).sequence);
  }
  const raw = new DatabaseSync(path);
  raw.exec(`UPDATE messages SET payload = x'00' WHERE sequence = ${bad[0]}`);
  raw.exec(`UPDATE messages SET headers = 'no JSON' WHERE sequence = ${bad[2]}`);
  raw.close();
  await using log = openLog({ kind: "sqlite", path }, { clock });
  const group = await log.openGroup(OPTIONS);
  const given = new Set<string>();
  const letters: string[] = [];
  while (given.size < 2 || letters.length < 2)
    for (const { sequence, subject, headers, payload } of await group.take(9, never)) {
      if (subject === "a.b") given.add(Buffer.from(payload).toString());
      else letters.push(`${headers["dead-sequence"]} ${headers["dead-reason"]} ${payload.length}`);
      await group.ack(sequence);
    }
  assert.equal(given.size, 2);
  // The letter of the one with a key waits for the rest of its key.
  assert.deepEqual(letters.sort(), [`${bad[0]} damaged on disk 0`, `${bad[2]} damaged on disk 0`]);
});

test("a log has one owner, and who comes second is told so", async (t) => {
  const path = join(withDirectory(t), "log.db");
  await using log = openLog({ kind: "sqlite", path }, { clock });
  await publish(log);
  assert.throws(
    () => openLog({ kind: "sqlite", path }, { clock }),
    (thrown) => thrown instanceof FabricError && thrown.reason === "log-locked",
  );
});
