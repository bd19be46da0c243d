// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { openLog } from "./open.ts";
import { GROUP, realClock } from "./testing/crash-child.ts";

const KILLS = 20;
const CHILD = join(import.meta.dirname, "testing/crash-child.ts");

/** Runs a child and kills it after so many lines; all that it said. */
async function runUntilKilled(
  path: string,
  round: number,
  linesMax: number,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [CHILD, path, `${round}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === linesMax) child.kill("SIGKILL");
  }
  assert.ok(lines.length >= linesMax, "the child lived until it was killed");
  return lines;
}

test(`${KILLS} kills lose no acknowledged message and bring none back`, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-log-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "log.db");
  const lines: string[] = [];
  for (let round = 0; round < KILLS; round++)
    lines.push(...(await runUntilKilled(path, round, 3 + Math.floor(Math.random() * 60))));
  const list = (letter: string): readonly number[] =>
    lines.filter((line) => line.startsWith(letter)).map((line) => Number(line.slice(2)));
  const published = list("p");
  const acknowledged = new Set(list("a"));
  assert.ok(acknowledged.size > 0);

  await using log = openLog({ kind: "sqlite", path }, { clock: realClock });
  const group = await log.openGroup(GROUP);
  const left = new Set<number>();
  const last = new Map<string | undefined, number>();
  const waiting = (): number => log.stats().groups.reduce((sum, each) => sum + each.waiting, 0);
  while (waiting() > 0) {
    for (const { sequence, key } of await group.take(100, new AbortController().signal)) {
      assert.ok(!acknowledged.has(sequence), `${sequence} was acknowledged`);
      assert.ok(sequence > (last.get(key) ?? 0), "the order of a key is kept");
      last.set(key, sequence);
      left.add(sequence);
      await group.ack(sequence);
    }
  }
  // An acknowledgement may be committed without the child having had the time to say so: hence those it tried.
  const tried = new Set(list("t"));
  const lost = published.filter((sequence) => !left.has(sequence) && !tried.has(sequence));
  assert.deepEqual(lost, []);
});
