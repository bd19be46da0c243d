// SPDX-License-Identifier: Apache-2.0
// The demo of a fleet: containers on different hosts call each other, a host dies, what ran there runs elsewhere.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const DEMO = fileURLToPath(new URL("demo.ts", import.meta.url));
const PATIENCE_MS = 300_000;

test("--hosts 3 --once shows calls between hosts, a host that dies and its way back, and leaves nothing", async () => {
  const child = spawn(process.execPath, [DEMO, "--hosts", "3", "--once"], { timeout: PATIENCE_MS });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0, said);
  assert.match(said, /^call .*-web-\d on h\d -> .*-web-\d on h\d: here is [0-9a-f]{12}$/m);
  assert.match(said, /^agents {4}clerk-h1 on h1 -> clerk-h3 on h3: clerk-h3 greets clerk-h1$/m);
  assert.match(said, /^fault [^]*^agents {4}clerk-h2 on h2 -> clerk-h1 on h1: clerk-h1 greets/m);
  assert.match(said, /^ {2}because h3 is gone$/m);
  assert.match(said, /^healed {4}h3 takes part again .* nothing runs twice$/m);
  assert.match(said, /^summary {3}1 of 1 lost hosts healed, (\d+) of \1 calls .* nothing left/m);
});
