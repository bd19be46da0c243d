// SPDX-License-Identifier: Apache-2.0
// A process is killed: how long until a new one runs? Fairlead, Docker's own restart policy and Swarm, in turn on one
// engine. Each container is killed once, after 10 s up, so that nobody's back-off has grown.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { EngineEvent } from "#engine/engine.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Bench, Sample } from "./bench.ts";
import { watchStarts, type StartTimes } from "./watch-starts.ts";

const ROUNDS = 30;
const SWARM_ROUNDS = 5;
const GOOD_RUN_MS = 11_000;

function docker(rig: Rig, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync("docker", ["-H", rig.lab.endpoint, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

interface Running {
  readonly pid: number;
  readonly id: string;
}

async function inspect(rig: Rig, id: string): Promise<Running | undefined> {
  const document = await rig.engine.inspectRaw(id);
  const state = document?.["State"] as { Running?: boolean; Pid?: number } | undefined;
  if (document === undefined || state?.Running !== true || !state.Pid) return undefined;
  return { pid: state.Pid, id: String(document["Id"]) };
}

/** Kills the process from the host's side and waits until the engine says that one was started. */
async function killAndWait(
  starts: StartTimes,
  find: () => Promise<Running | undefined>,
  isIt: (event: EngineEvent, before: Running) => boolean = (event, before) =>
    event.id === before.id,
): Promise<number> {
  const before = await find();
  if (before === undefined) throw new Error("it does not run");
  const beganMs = performance.timeOrigin + performance.now();
  process.kill(before.pid, "SIGKILL");
  return (await starts.next(beganMs, (event) => isIt(event, before))) - beganMs;
}

async function prepareFairlead(rig: Rig): Promise<void> {
  const file = join(rig.directory, "compose.yaml");
  writeFileSync(
    file,
    `name: heal\nservices:\n  app:\n    image: ${IMAGE}\n    deploy: { replicas: ${ROUNDS} }\n`,
  );
  await rig.startNode();
  const { code, stderr } = await rig.cli(["up", "-f", file, "--timeout", "180s"]);
  if (code !== 0) throw new Error(stderr);
}

function prepareDocker(rig: Rig): void {
  docker(rig, ["network", "create", "peer"]);
  for (let i = 1; i <= ROUNDS; i++)
    docker(rig, [
      "run",
      "-d",
      "--name",
      `peer-${i}`,
      "--network",
      "peer",
      "--restart",
      "always",
      IMAGE,
    ]);
}

function prepareSwarm(rig: Rig): void {
  docker(rig, ["swarm", "init", "--advertise-addr", "127.0.0.1"]);
  docker(rig, [
    "service",
    "create",
    "--detach",
    "--name",
    "swarm",
    "--replicas",
    "1",
    "--restart-delay",
    "0s",
    "--no-resolve-image",
    IMAGE,
  ]);
}

async function findSwarm(rig: Rig): Promise<Running | undefined> {
  const instances = await rig.engine.listInstances();
  const running = instances.find(
    (i: InstanceFact) =>
      i.labels["com.docker.swarm.service.name"] === "swarm" && i.state === "running",
  );
  return running === undefined ? undefined : inspect(rig, running.id);
}

const ILL_ROUNDS = 15;

/** The time from the engine's own `unhealthy` event to the decision's beginning; each instance falls ill once. */
async function measureUnhealthy(rig: Rig, sample: (sample: Sample) => void): Promise<void> {
  const file = join(rig.directory, "ill.yaml");
  const health = `{ test: ["CMD", "test", "!", "-e", "/tmp/ill"], interval: 1s, timeout: 5s, retries: 1 }`;
  const service = `image: ${IMAGE}\n    deploy: { replicas: ${ILL_ROUNDS} }\n    stop_grace_period: 0s`;
  writeFileSync(
    file,
    `name: ill\nservices:\n  app:\n    ${service}\n    healthcheck: ${health}\n    tmpfs: /tmp\n`,
  );
  const { code, stderr } = await rig.cli(["up", "-f", file, "--timeout", "60s"]);
  if (code !== 0) throw new Error(stderr);
  const stop = new AbortController();
  const eventMs = new Map<string, number>();
  const watching = (async () => {
    for await (const signal of rig.engine.watch({ signal: stop.signal })) {
      if (signal.kind !== "event" || signal.event.action !== "health_status: unhealthy") continue;
      eventMs.set(
        signal.event.attributes["name"] ?? "",
        Number(signal.event.timeNs / 1_000n) / 1_000,
      );
    }
  })();
  for (let round = 1; round <= ILL_ROUNDS; round++) {
    const name = `ill-app-${round}`;
    await rig.engine.exec(name, ["touch", "/tmp/ill"], { decision: "bench" });
    let decision: Decision | undefined;
    await until(`an act on ${name}`, 30_000, async () => {
      const { body } = await rig.ask<{ items: Decision[] }>("decisions?scope=ill&limit=20");
      decision = body.items.find(
        (item) => item.object === name && item.trigger.kind === "unhealthy",
      );
      return decision !== undefined && eventMs.has(name);
    });
    const value = Math.max(0, (decision?.startedAtMs ?? 0) - (eventMs.get(name) ?? 0));
    sample({ metric: "unhealthy_to_act_ms", unit: "ms", subject: "fairlead", value });
  }
  stop.abort();
  await watching;
}

export const heal: Bench = {
  name: "heal",
  about: "a process is killed: time until it runs again, against Docker's restart policy and Swarm",
  async run({ say, sample }) {
    await using rig = await openRig();
    say(`preparing ${ROUNDS} containers for each`);
    await prepareFairlead(rig);
    prepareDocker(rig);
    await using starts = watchStarts(rig.engine);
    await sleep(GOOD_RUN_MS);
    const put = (subject: string, value: number): void =>
      sample({ metric: "kill_to_running_ms", unit: "ms", subject, value });
    for (let round = 1; round <= ROUNDS; round++) {
      put("fairlead", await killAndWait(starts, () => inspect(rig, `heal-app-${round}`)));
      await sleep(300);
      put("docker", await killAndWait(starts, () => inspect(rig, `peer-${round}`)));
      await sleep(300);
    }
    const { body } = await rig.ask<{ items: Decision[] }>("decisions?scope=heal&limit=100");
    for (const decision of body.items.filter((item) => item.budget !== undefined)) {
      const value = decision.startedAtMs - decision.trigger.atMs;
      sample({ metric: "exit_to_decision_ms", unit: "ms", subject: "fairlead", value });
    }
    for (let i = 1; i <= ROUNDS; i++) docker(rig, ["rm", "-f", `peer-${i}`]);
    say("Swarm");
    prepareSwarm(rig);
    await until("swarm task", 60_000, async () => (await findSwarm(rig)) !== undefined, 100);
    for (let round = 0; round < SWARM_ROUNDS; round++) {
      await sleep(3_000);
      const isTask = (event: EngineEvent): boolean =>
        event.attributes["com.docker.swarm.service.name"] === "swarm";
      put("swarm", await killAndWait(starts, () => findSwarm(rig), isTask));
    }
    docker(rig, ["service", "rm", "swarm"]);
    docker(rig, ["swarm", "leave", "--force"]);
    say("unhealthy");
    await measureUnhealthy(rig, sample);
    await rig.cli(["down", "--scope", "heal"]);
  },
};
