// SPDX-License-Identifier: Apache-2.0
// The agent of the bench `sdk` in a container that Fairlead started: it joins by what it was given there.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";
import { bundleProgram } from "#lab/bundle.ts";
import { importNode } from "#lab/images.ts";
import { openRig, until, type Rig } from "#lab/rig.ts";

const INSIDE = fileURLToPath(new URL("sdk-agent-inside.ts", import.meta.url));
const SCOPE = "benchsdk";
const CALLER = `${SCOPE}-caller-1`;
const PATIENCE_MS = 60_000;
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: z.unknown(), out: z.unknown() }) });

/** One life of the agent in its container. */
export interface InsideRun {
  /** From the first line of its code to its first answer, milliseconds. */
  readonly tookMs: number;
  /** Resident memory once it had nothing to do, MiB. */
  readonly rssMb: number;
}

async function readTime(rig: Rig, id: string, sinceMs: number): Promise<number | undefined> {
  let last: string | undefined;
  for await (const { text } of rig.engine.logs(id, { sinceMs })) last = text;
  return last === undefined ? undefined : Number(last);
}

async function readRun(rig: Rig, startedAfterMs: number, idleMs: number): Promise<InsideRun> {
  let tookMs: number | undefined;
  await until("the agent has its answer", PATIENCE_MS, async () => {
    const instance = await rig.engine.inspectInstance(CALLER);
    if (instance === undefined || instance.startedAtMs <= startedAfterMs) return false;
    tookMs = await readTime(rig, instance.id, instance.startedAtMs);
    return tookMs !== undefined;
  });
  await sleep(idleMs);
  const state = (await rig.engine.inspectRaw(CALLER))?.["State"] as { Pid?: number } | undefined;
  const status = readFileSync(`/proc/${state?.Pid ?? 0}/status`, "utf8");
  const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN);
  return { tookMs: tookMs ?? Number.NaN, rssMb: rssKb / 1_024 };
}

/** Starts the agent in a container, and again for each further round. */
export async function* runInContainer(rounds: number, idleMs: number): AsyncGenerator<InsideRun> {
  await using rig = await openRig();
  await importNode(rig.lab, "node:lab", "");
  await rig.startNode();
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  await using answerer = await join({ name: "answerer", scope: SCOPE, node });
  await answerer.serve(ECHO, { echo: (input) => input });
  const folder = joinPath(rig.directory, SCOPE);
  mkdirSync(folder);
  writeFileSync(joinPath(folder, "agent.mjs"), await bundleProgram(INSIDE));
  writeFileSync(
    joinPath(folder, "compose.yaml"),
    `name: ${SCOPE}\nservices:\n  caller:\n    image: node:lab\n    command: [/usr/local/bin/node, /agent.mjs]\n` +
      `    volumes: ["./agent.mjs:/agent.mjs:ro"]\n    stop_grace_period: 0s\n    labels: { fairlead.kind: agent }\n`,
  );
  const file = joinPath(folder, "compose.yaml");
  for (let round = 0; round < rounds; round++) {
    const before = (await rig.engine.inspectInstance(CALLER))?.startedAtMs ?? 0;
    const args = round === 0 ? ["up", "-f", file] : ["restart", "caller", "--scope", SCOPE];
    const { code, stderr } = await rig.cli([...args, "--progress", "quiet"]);
    if (code !== 0) throw new Error(stderr);
    yield await readRun(rig, before, idleMs);
  }
}
