// SPDX-License-Identifier: Apache-2.0
// What a node costs that watches 200 running containers and has nothing to do, and after events.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLimiter } from "#base/limiter.ts";
import { IMAGE, openRig } from "#lab/rig.ts";
import type { Bench } from "./bench.ts";

const CONTAINERS = 200;
const WATCH_MS = 60_000;
/** Flat means that later rounds add nothing: the first one also pays for code that is compiled and heap that is kept. */
const EVENTS = 10_000;
const EVENT_ROUNDS = 3;
const STATUS_ROUNDS = 50;
/** Kernel ticks a second, as /proc counts CPU time. */
const TICKS = 100;

function readCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1_000;
}

function readRssMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? 0) / 1_024;
}

export const idle: Bench = {
  name: "idle",
  about: `memory and CPU of a node that watches ${CONTAINERS} running containers`,
  async run({ say, sample }) {
    await using rig = await openRig();
    const file = join(rig.directory, "compose.yaml");
    writeFileSync(
      file,
      `name: idle\nservices:\n  app:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n    deploy: { replicas: ${CONTAINERS} }\n`,
    );
    await rig.startNode();
    say(`starting ${CONTAINERS} containers`);
    const { code, stderr } = await rig.cli([
      "up",
      "-f",
      file,
      "--timeout",
      "300s",
      "--progress",
      "quiet",
    ]);
    if (code !== 0) throw new Error(stderr);
    await rig.endNode("SIGTERM");
    await rig.startNode();
    const pid = rig.nodePid();
    const put = (metric: string, unit: string, value: number): void =>
      sample({ metric, unit, subject: "fairlead", value });
    await sleep(10_000);
    const before = readCpuMs(pid);
    say("watching for a minute");
    await sleep(WATCH_MS);
    put("cpu_percent_of_core", "%", ((readCpuMs(pid) - before) / WATCH_MS) * 100);
    put("rss_mb", "MiB", readRssMb(pid));
    for (let round = 0; round < STATUS_ROUNDS; round++) {
      const beganMs = performance.now();
      await rig.ask("status");
      put("status_ms", "ms", performance.now() - beganMs);
    }
    const limiter = createLimiter(8);
    const options = { decision: "bench" };
    await rig.engine.createInstance(
      { name: "noise", config: { Image: IMAGE }, labels: {}, networkMode: "none", endpoints: [] },
      options,
    );
    const rename = (index: number): Promise<void> =>
      limiter.run(() =>
        rig.engine
          .renameInstance(
            index % 2 === 0 ? "noise" : "noise-b",
            index % 2 === 0 ? "noise-b" : "noise",
            options,
          )
          .catch(() => undefined),
      );
    for (let round = 1; round <= EVENT_ROUNDS; round++) {
      say(`${EVENTS} events, ${round} of ${EVENT_ROUNDS}`);
      for (let index = 0; index < EVENTS; index++) await rename(index);
      await sleep(2_000);
      put(`rss_after_${round * EVENTS}_events_mb`, "MiB", readRssMb(pid));
    }
    await rig.cli(["down", "--scope", "idle", "--progress", "quiet"]);
  },
};
