// SPDX-License-Identifier: Apache-2.0
// 100 small replicas from one file: Fairlead, Debian's docker-compose, and the bare API at 32 in parallel as the limit.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLimiter } from "#base/limiter.ts";
import { IMAGE, openRig, type Rig } from "#lab/rig.ts";
import type { Bench } from "./bench.ts";

const REPLICAS = 100;
const ROUNDS = 3;
const BARE_WIDTH = 32;

async function countRunning(rig: Rig, prefix: string): Promise<number> {
  return (await rig.engine.listInstances()).filter(
    (i) => i.state === "running" && i.name.startsWith(prefix),
  ).length;
}

function removeAll(rig: Rig, prefix: string): void {
  const list = spawnSync(
    "docker",
    ["-H", rig.lab.endpoint, "ps", "-aq", "--filter", `name=${prefix}`],
    { encoding: "utf8" },
  );
  const ids = list.stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) spawnSync("docker", ["-H", rig.lab.endpoint, "rm", "-f", ...ids]);
}

async function expectAll(rig: Rig, prefix: string): Promise<void> {
  const running = await countRunning(rig, prefix);
  if (running !== REPLICAS) throw new Error(`${running} of ${REPLICAS} run`);
}

async function runFairlead(rig: Rig, file: string, scope: string): Promise<number> {
  const beganMs = performance.now();
  const { code, stderr } = await rig.cli([
    "up",
    "-f",
    file,
    "--project-name",
    scope,
    "--timeout",
    "300s",
    "--progress",
    "quiet",
  ]);
  const tookMs = performance.now() - beganMs;
  if (code !== 0) throw new Error(stderr);
  await expectAll(rig, scope);
  const down = ["down", "--scope", scope, "--progress", "quiet", "--timeout", "30s"];
  const { code: ended, stderr: said } = await rig.cli(down);
  // Of many containers that leave it at once an engine may keep some counted, and its network with them (FL0318).
  if (ended !== 0 && !said.includes(`${scope}_default is still there`))
    throw new Error(`down ended with ${ended}: ${said}`);
  if ((await countRunning(rig, scope)) > 0) throw new Error("down has left containers");
  return tookMs;
}

function runCompose(rig: Rig, file: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      "docker-compose",
      ["-H", rig.lab.endpoint, "-f", file, "-p", "peerup", ...args],
      { stdio: "ignore" },
    );
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? -1));
  });
}

async function runPeer(rig: Rig, file: string): Promise<number> {
  const beganMs = performance.now();
  const code = await runCompose(rig, file, ["up", "-d", "--scale", `app=${REPLICAS}`]);
  const tookMs = performance.now() - beganMs;
  if (code !== 0) throw new Error(`docker-compose ended with ${code}`);
  await expectAll(rig, "peerup");
  removeAll(rig, "peerup");
  await runCompose(rig, file, ["down"]);
  return tookMs;
}

async function runBare(rig: Rig): Promise<number> {
  const limiter = createLimiter(BARE_WIDTH);
  const beganMs = performance.now();
  const one = async (index: number): Promise<void> => {
    const options = { decision: "bench" };
    const id = await rig.engine.createInstance(
      {
        name: `bareup-${index}`,
        config: { Image: IMAGE },
        labels: {},
        networkMode: "bareup",
        endpoints: [{ network: "bareup" }],
      },
      options,
    );
    await rig.engine.startInstance(id, options);
  };
  await Promise.all(Array.from({ length: REPLICAS }, (_, index) => limiter.run(() => one(index))));
  const tookMs = performance.now() - beganMs;
  await expectAll(rig, "bareup");
  removeAll(rig, "bareup");
  return tookMs;
}

export const up: Bench = {
  name: "up",
  about: `${REPLICAS} replicas from one file until all run, against docker-compose and the bare API`,
  async run({ say, sample }) {
    await using rig = await openRig();
    const folder = join(rig.directory, "benchup");
    mkdirSync(folder);
    const file = join(folder, "compose.yaml");
    const service = `    image: ${IMAGE}\n    stop_grace_period: 0s\n`;
    writeFileSync(
      file,
      `name: benchup\nservices:\n  app:\n${service}    deploy: { replicas: ${REPLICAS} }\n`,
    );
    const peerFile = join(folder, "peer.yaml");
    writeFileSync(peerFile, `version: "3.8"\nservices:\n  app:\n${service}`);
    spawnSync("docker", ["-H", rig.lab.endpoint, "network", "create", "bareup"]);
    await rig.startNode();
    for (let round = 1; round <= ROUNDS; round++) {
      const put = (subject: string, value: number): void => {
        say(`round ${round}: ${subject} ${(value / 1_000).toFixed(1)} s`);
        sample({ metric: "all_running_ms", unit: "ms", subject, value });
      };
      put("fairlead", await runFairlead(rig, file, `benchup${round}`));
      put("docker-compose", await runPeer(rig, peerFile));
      put("bare-api", await runBare(rig));
    }
  },
};
