// SPDX-License-Identifier: Apache-2.0
// Agents in real containers: they join with what they were given, find each other and talk.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FabricError, join } from "@fairlead/sdk";
import { bundleProgram } from "#lab/bundle.ts";
import { importNode } from "#lab/images.ts";
import { openRig, type Rig } from "#lab/rig.ts";

const PROGRAM = fileURLToPath(new URL("programs/echo-agent.ts", import.meta.url));
/** Of the last service of the file: ill as long as a file is there. */
const CHECK =
  "    healthcheck:\n      interval: 500ms\n      timeout: 5s\n      retries: 1\n" +
  `      test: [CMD, /usr/local/bin/node, -e, "process.exit(require('fs').existsSync('/ill') ? 1 : 0)"]\n`;
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
  const service = (name: string, peer = "") =>
    `  ${name}:\n    image: node:lab\n    command: [/usr/local/bin/node, /agent.mjs]\n` +
    `    stop_grace_period: 2s\n    volumes: ["./agent.mjs:/agent.mjs:ro"]\n` +
    `    labels: { fairlead.kind: agent }\n${peer === "" ? "" : `    environment: { PEER: ${peer} }\n`}`;
  writeFileSync(
    file,
    `name: pair\nservices:\n${service("one")}${service("two", "one")}${service("weak").replace("fairlead.kind: agent }", 'fairlead.kind: agent, fairlead.heal: "off", fairlead.route: least-requests eject=3 }')}${CHECK}`,
  );
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const pair = (...args: readonly string[]) => rig.cli([...args, "--scope", "pair"]);

interface AgentList {
  readonly items: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

/** Waits until the names of the agents of the stack are these. */
async function awaitAgents(names: readonly string[]): Promise<void> {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  await using watcher = await join({ name: "watcher", scope: "pair", node });
  for await (const _ of watcher.watch()) {
    const found = await watcher.find({ kind: "agent" });
    if (
      found
        .map(({ name }) => name)
        .toSorted()
        .join() === names.join()
    )
      return;
  }
}

test("containers join under their service's name and are called from outside", async () => {
  await awaitAgents(["one", "two", "weak"]);
  const { items } = (await rig.ask<AgentList>("agents?scope=pair")).body;
  assert.ok(items.every(({ addresses }) => addresses.length === 1));
  const { stdout, stderr } = await pair("call", "one", "echo/say", '{"text":"hi"}');
  assert.match(stdout, /"text": "hi for cli-\d+"/, stderr);
});

test("the label of a service says how calls to it are routed, and each call says why", async () => {
  const { code, stderr } = await pair("call", "weak", "echo/say", '{"text":"hi"}', "--explain");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /calls to weak: least-requests eject=3, said by the service/);
});

test("one calls the other directly, within a moment of its start", async (t) => {
  const { stdout } = await pair("logs", "two", "--no-prefix");
  const [, took] = /first answer after (\d+) ms: hello for two/.exec(stdout) ?? [];
  assert.ok(took !== undefined, stdout);
  t.diagnostic(`join to first answer: ${took} ms`);
});

test("a killed agent is gone at once, and back under its name after it was healed", async () => {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  await using watcher = await join({ name: "watcher", scope: "pair", node });
  const [first] = await watcher.find({ name: "one" });
  assert.ok(first !== undefined);
  const seen: string[] = [];
  const killed = rig.engine.killInstance("pair-one-1", { decision: "test", signalName: "SIGKILL" });
  for await (const change of watcher.watch({ name: "one" })) {
    if (change.type === "gone") seen.push(`gone: ${change.reason}`);
    else if (change.agent.id !== first.id) seen.push("another");
    if (seen.length === 2) break;
  }
  await killed;
  assert.deepEqual(seen, ["gone: connection-lost", "another"]);
});

test("the containers' socket takes nobody without a ticket, and no ticket for another name", async () => {
  const node = `unix:${rig.directory}/fabric/containers/fabric.sock`;
  for (const name of ["stranger", "one"]) {
    await assert.rejects(
      join({ name, scope: "pair", node, ticket: "forged" }),
      (error) =>
        error instanceof FabricError && /may not join with this ticket/.test(error.message),
    );
  }
});

test("an agent whose container is ill is not called until it is well again", async () => {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  await using watcher = await join({ name: "watcher", scope: "pair", node });
  const becomes = async (healthy: boolean): Promise<void> => {
    for await (const change of watcher.watch({ name: "weak" }))
      if (change.type !== "gone" && change.agent.healthy === healthy) return;
  };
  const say = () => watcher.call("weak", "echo/say", { text: "hi" }, { timeout: "3s" });
  await becomes(true);
  await say();
  const run = (script: string) =>
    spawnSync("docker", [
      "-H",
      rig.lab.endpoint,
      "exec",
      "pair-weak-1",
      "/usr/local/bin/node",
      "-e",
      script,
    ]);
  assert.equal(run('require("fs").writeFileSync("/ill", "")').status, 0);
  await becomes(false);
  await assert.rejects(
    say(),
    (error) => error instanceof FabricError && error.reason === "no-instance",
  );
  assert.match((await pair("agents")).stdout, /weak +pair +agent +unhealthy/);
  assert.equal(run('require("fs").rmSync("/ill")').status, 0);
  await becomes(true);
  await say();
});

test("its ticket is shown nowhere", async () => {
  const { stdout } = await pair("inspect", "pair-one-1");
  assert.match(stdout, /FAIRLEAD_TICKET=\[hidden\]/);
});
