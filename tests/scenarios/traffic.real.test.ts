// SPDX-License-Identifier: Apache-2.0
// Traffic of users while Fairlead and what it keeps are killed: programs/traffic-client.ts asks from the engine's host.
// FAIRLEAD_NODE_KILLS, FAIRLEAD_KILLS and FAIRLEAD_REQUESTS set how much; the rows R02 and R09 say 100, 50 and 10,000.
// FAIRLEAD_PAUSE_S lets a replica run before the other is killed: back-off begins anew after ten seconds of health.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { importNode } from "#lab/images.ts";
import { openRig, type Rig } from "#lab/rig.ts";

const CLIENT = fileURLToPath(new URL("programs/traffic-client.ts", import.meta.url));
const REQUESTS = Number(process.env["FAIRLEAD_REQUESTS"] ?? 2_000);
const KILLS = Number(process.env["FAIRLEAD_KILLS"] ?? 6);
const NODE_KILLS = Number(process.env["FAIRLEAD_NODE_KILLS"] ?? 4);
const PAUSE_MS = Number(process.env["FAIRLEAD_PAUSE_S"] ?? 0) * 1_000;
const PORTS = [8_001, 8_002] as const;

let rig: Rig;

before(async () => {
  rig = await openRig();
  await importNode(rig.lab, "node:lab", "");
  await rig.startNode();
  const folder = join(rig.directory, "stack");
  mkdirSync(folder);
  const server =
    'import { createServer } from "node:http";\ncreateServer((_, answer) => answer.end("ok")).listen(80);\n';
  writeFileSync(join(folder, "server.mjs"), server);
  const service = (name: string, port: number) =>
    `  ${name}:\n    image: node:lab\n    command: [/usr/local/bin/node, /server.mjs]\n` +
    `    stop_grace_period: 1s\n    volumes: ["./server.mjs:/server.mjs:ro"]\n` +
    `    ports: ["127.0.0.1:${port}:80"]\n    labels: { fairlead.heal: "restart max=1000/10m" }\n`;
  const file = join(folder, "compose.yaml");
  writeFileSync(file, `name: web\nservices:\n${service("a", PORTS[0])}${service("b", PORTS[1])}`);
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

interface Counts {
  readonly asked: number;
  readonly again: number;
  readonly failed: number;
}

/** Runs the client while `faults` run; `next` resolves with the next line of this kind. */
async function withTraffic(
  faults: (next: (line: string) => Promise<void>) => Promise<void>,
): Promise<Counts> {
  const client = spawn(
    "nsenter",
    [
      `--net=/run/netns/${rig.lab.netns}`,
      process.execPath,
      CLIENT,
      String(REQUESTS),
      ...PORTS.map(String),
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const waiting = new Map<string, () => void>();
  const ended = Promise.withResolvers<Counts>();
  createInterface({ input: client.stdout }).on("line", (line) => {
    if (line.startsWith("{")) ended.resolve(JSON.parse(line) as Counts);
    waiting.get(line)?.();
    waiting.delete(line);
  });
  client.once("close", (code) => ended.reject(new Error(`the client ended with ${code}`)));
  const next = (line: string) =>
    Promise.race([
      new Promise<void>((resolve) => waiting.set(line, resolve)),
      ended.promise.then(() => undefined),
    ]);
  try {
    await next(`up ${PORTS[1]}`);
    await faults(next);
    client.stdin.end();
    return await ended.promise;
  } finally {
    ended.promise.catch(() => undefined);
    client.kill("SIGKILL");
  }
}

const list = async () =>
  (await rig.engine.listInstances())
    .filter(({ scope }) => scope === "web")
    .map(({ id, startedAtMs, state }) => `${id} ${startedAtMs} ${state}`)
    .toSorted();

const listDecisions = async () => {
  const { code, stdout, stderr } = await rig.cli(["decisions", "-A", "-o", "json"]);
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { readonly items: readonly { readonly id: string }[] }).items.map(
    ({ id }) => id,
  );
};

/** `p50 12 ms, longest 34 ms (n 5)` */
function summarise(figuresMs: readonly number[]): string {
  const sorted = figuresMs.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `p50 ${middle.toFixed(0)} ms, longest ${(sorted.at(-1) ?? 0).toFixed(0)} ms (n ${sorted.length})`;
}

/** How long the newest restarts took, from asking the engine until the container ran. */
async function listStartsMs(count: number): Promise<readonly number[]> {
  const { body } = await rig.ask<{ items: Decision[] }>(`decisions?scope=web&limit=${count}`);
  return body.items.flatMap(({ durationMs }) => durationMs ?? []);
}

test("R02: the node killed with -9 while users ask: no request fails, no container is touched, nothing is decided", async (t) => {
  const containers = await list();
  const decisions = await listDecisions();
  assert.ok(decisions.length > 0);
  const counts = await withTraffic(async () => {
    for (let kill = 0; kill < NODE_KILLS; kill++) {
      await rig.endNode("SIGKILL");
      await rig.startNode();
    }
  });
  assert.ok(counts.asked >= REQUESTS, JSON.stringify(counts));
  assert.equal(counts.failed, 0, JSON.stringify(counts));
  assert.equal(counts.again, 0, JSON.stringify(counts));
  assert.deepEqual(await list(), containers);
  assert.deepEqual(await listDecisions(), decisions);
  t.diagnostic(
    `${NODE_KILLS} kills, ${counts.asked} requests, ${counts.again} tried again, ${counts.failed} failed`,
  );
});

test("R09: a replica killed again and again while users ask: no request fails, and it is back each time", async (t) => {
  const backMs: number[] = [];
  const counts = await withTraffic(async (next) => {
    for (let kill = 0; kill < KILLS; kill++) {
      const port = PORTS[kill % 2];
      const name = `web-${kill % 2 === 0 ? "a" : "b"}-1`;
      const [down, back] = [next(`down ${port}`), next(`up ${port}`)];
      const beganMs = performance.now();
      await rig.engine.killInstance(name, { decision: "test", signalName: "SIGKILL" });
      await down;
      await back;
      backMs.push(performance.now() - beganMs);
      await sleep(PAUSE_MS);
    }
  });
  assert.equal(counts.failed, 0, JSON.stringify(counts));
  const { asked, again, failed } = counts;
  assert.ok(asked >= REQUESTS, JSON.stringify(counts));
  assert.equal(backMs.length, KILLS);
  t.diagnostic(
    `${asked} requests, ${again} tried again, ${failed} failed; answers again after ${summarise(backMs)}`,
  );
  t.diagnostic(`of that starting it took ${summarise(await listStartsMs(KILLS))}`);
});
