// SPDX-License-Identifier: Apache-2.0
// An agent in a container, without the Docker socket, sees the containers of its scope and starts and stops its own.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { join } from "@fairlead/sdk";
import { bundleProgram } from "#lab/bundle.ts";
import { importNode } from "#lab/images.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";

const PROGRAM = fileURLToPath(new URL("programs/boss-agent.ts", import.meta.url));
const FILE = `
name: crew
services:
  boss:
    image: node:lab
    command: [/usr/local/bin/node, /agent.mjs]
    stop_grace_period: 2s
    volumes: ["./agent.mjs:/agent.mjs:ro"]
    labels: { fairlead.kind: agent }
  worker:
    image: ${IMAGE}
    deploy: { replicas: 2 }
    restart: always
    stop_grace_period: 0s
    labels: { fairlead.owner: boss, team: blue }
  job:
    image: ${IMAGE}
    command: ["true"]
    labels: { fairlead.owner: boss }
  other:
    image: ${IMAGE}
    stop_grace_period: 0s
`;
let rig: Rig;
let file: string;

before(async () => {
  rig = await openRig();
  await importNode(rig.lab, "node:lab", "");
  await rig.startNode();
  const folder = joinPath(rig.directory, "stack");
  mkdirSync(folder);
  file = joinPath(folder, "compose.yaml");
  writeFileSync(joinPath(folder, "agent.mjs"), await bundleProgram(PROGRAM));
  writeFileSync(file, FILE);
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
  await bossJoins();
});
after(() => rig[Symbol.asyncDispose]());

/** The container runs before the program in it has joined. */
const bossJoins = (): Promise<void> =>
  until("the boss has joined", 60_000, async () => {
    const { items } = (await rig.ask<{ items: { name: string }[] }>("agents?scope=crew")).body;
    return items.some(({ name }) => name === "boss");
  });

/** Has the agent do it, from inside of its container. */
async function tell<T>(method: string, input: object): Promise<T> {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  await using me = await join({ name: "test", scope: "crew", node });
  return (await me.call("boss", `hands/${method}`, input, { timeout: "30s" })) as T;
}

const act = async (verb: string, container: string): Promise<string> =>
  (await tell<{ state: string }>("act", { act: verb, container })).state;

const stateOf = async (name: string): Promise<string | undefined> =>
  (await rig.engine.inspectInstance(name))?.state;

const service = async (name: string) =>
  (
    await rig.ask<{ items: { name: string; state: string; reason: string }[] }>(
      "services?scope=crew",
    )
  ).body.items.find((one) => one.name === name);

test("it sees the containers of its scope, and which it may act on", async () => {
  const { seen } = await tell<{ seen: string[] }>("list", {});
  assert.deepEqual(seen, [
    "crew-boss-1 running own",
    "crew-job-1 exited own",
    "crew-other-1 running",
    "crew-worker-1 running own",
    "crew-worker-2 running own",
  ]);
  const blue = await tell<{ seen: string[] }>("list", { labels: { team: "blue" } });
  assert.equal(blue.seen.length, 2);
});

test("what it stops rests, in spite of restart: always, with a decision that names it", async () => {
  assert.equal(await act("stop", "worker-2"), "exited");
  assert.equal(await stateOf("crew-worker-1"), "running");
  await until("it rests", 10_000, async () => (await service("worker"))?.state === "stopped");
  assert.equal((await service("worker"))?.reason, "stopped as agent crew/boss asked");
  const { items } = (await rig.ask<{ items: Decision[] }>("decisions?scope=crew")).body;
  const stop = items.find((one) => one.act === "instance.stop");
  assert.deepEqual(
    [stop?.actor, stop?.trigger.kind, stop?.outcome, stop?.object],
    ["agent crew/boss", "agent", "done", "crew-worker-2"],
  );
  const why = await rig.cli(["why", stop?.id ?? "", "--scope", "crew"]);
  assert.match(why.stdout, /agent crew\/boss asked for it/);
});

test("the node remembers that over its own end", async () => {
  await rig.endNode("SIGKILL");
  await rig.startNode();
  await bossJoins();
  // The agent may be back before the node has read its engine.
  await until("it still rests", 20_000, async () => (await service("worker"))?.state === "stopped");
  assert.equal(await stateOf("crew-worker-2"), "exited");
});

test("it starts what it stopped, a job that is done, and renews what runs", async () => {
  assert.equal(await act("start", "worker-2"), "running");
  assert.equal(await act("start", "worker-2"), "running");
  const before = await rig.engine.inspectInstance("crew-worker-1");
  assert.equal(await act("restart", "crew-worker-1"), "running");
  const after = await rig.engine.inspectInstance("crew-worker-1");
  assert.ok((after?.startedAtMs ?? 0) > (before?.startedAtMs ?? 0));
  assert.equal(after?.id, before?.id);
  const job = await rig.engine.inspectInstance("crew-job-1");
  await act("start", "job-1");
  const again = await rig.engine.inspectInstance("crew-job-1");
  assert.ok((again?.startedAtMs ?? 0) > (job?.startedAtMs ?? 0));
  await until("all is well", 10_000, async () => (await service("worker"))?.state === "ok");
});

test("what is not its own, or not there, it may not touch, and is told why", async () => {
  assert.match(await act("stop", "other-1"), /crew-other-1 is not a container of boss/);
  assert.equal(await stateOf("crew-other-1"), "running");
  assert.match(await act("stop", "nobody"), /nothing called "nobody"/);
});

test("up starts what an agent has stopped", async () => {
  assert.equal(await act("stop", "worker-1"), "exited");
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
  assert.equal(await stateOf("crew-worker-1"), "running");
});
