// SPDX-License-Identifier: Apache-2.0
// A whole fleet in virtual time: all loops of all nodes are the real ones, as in `npm run sim`.
import { buildIntent, buildService } from "#brain/testing/builders.ts";
import { createWorld, type World } from "../tests/simulation/world.ts";
import type { Bench } from "./bench.ts";

const NODES = Number(process.env["FAIRLEAD_BENCH_SIM_NODES"] ?? 20);
const INSTANCES = Number(process.env["FAIRLEAD_BENCH_SIM_INSTANCES"] ?? 1_000);
/** How long the fleet is watched once all runs, seconds of virtual time. */
const WATCHED_S = Number(process.env["FAIRLEAD_BENCH_SIM_S"] ?? 60);
const REPLICAS = 100;
const SERVICES = 10;
/** Virtual seconds after which a fleet that is not complete never will be. */
const PATIENCE_S = 1_800;
const STEP_MS = 5_000;
const SEED = 1;

/** Scopes of ten services with a hundred instances each. */
async function wantAll({ store }: World): Promise<void> {
  const perScope = SERVICES * REPLICAS;
  for (let left = INSTANCES, at = 0; left > 0; left -= perScope, at++) {
    const scope = `shop${at}`;
    const services = Array.from({ length: SERVICES }, (_, index) =>
      buildService({ name: `s${index}`, replicas: Math.min(REPLICAS, Math.ceil(left / SERVICES)) }),
    );
    const value = { intent: { ...buildIntent(services), scope }, origin: "n0", actor: "bench" };
    await store.transact([{ kind: "put", key: `intent/${scope}`, value }]);
  }
}

const countRunning = ({ hosts }: World): number =>
  hosts.reduce((sum, { engine }) => sum + engine.listRunning().length, 0);

/** Processor time of this process so far, ms: what else runs on the machine does not count. */
function readCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Virtual hours that passed in a minute of this machine, and in one of its processor time. */
async function watch(world: World, seconds: number): Promise<{ real: number; cpu: number }> {
  const [beganMs, beganCpuMs] = [performance.now(), readCpuMs()];
  await world.pass(seconds * 1_000);
  const hours = seconds / 3_600;
  return {
    real: hours / ((performance.now() - beganMs) / 60_000),
    cpu: hours / ((readCpuMs() - beganCpuMs) / 60_000),
  };
}

export const sim: Bench = {
  name: "sim",
  about:
    "a whole fleet in virtual time: how long it takes to start all, and hours in a minute then",
  async run({ say, sample }) {
    const note = (metric: string, unit: string, value: number): void =>
      sample({ metric: `${metric}_${NODES}x${INSTANCES}`, unit, subject: "fairlead", value });
    const world = createWorld(SEED, NODES);
    const quiet = await watch(world, WATCHED_S);
    note("quiet_hours_per_min", "h", quiet.real);
    note("quiet_hours_per_cpu_min", "h", quiet.cpu);
    say(`${NODES} nodes know of each other`);
    const [beganMs, wantedMs] = [performance.now(), world.timeline.nowMs];
    const beganCpuMs = readCpuMs();
    await wantAll(world);
    while (countRunning(world) < INSTANCES) {
      if (world.timeline.nowMs - wantedMs > PATIENCE_S * 1_000)
        throw new Error(`only ${countRunning(world)} of ${INSTANCES} run`);
      await world.pass(STEP_MS);
      const seconds = ((world.timeline.nowMs - wantedMs) / 1_000).toFixed(0);
      say(`${countRunning(world)} of ${INSTANCES} run after ${seconds} s of virtual time`);
    }
    note("start_virtual_s", "s", (world.timeline.nowMs - wantedMs) / 1_000);
    note("start_s", "s", (performance.now() - beganMs) / 1_000);
    note("start_cpu_s", "s", (readCpuMs() - beganCpuMs) / 1_000);
    const { real, cpu } = await watch(world, WATCHED_S);
    note("hours_per_min", "h", real);
    note("hours_per_cpu_min", "h", cpu);
    note("rss_mb", "MiB", process.memoryUsage().rss / 2 ** 20);
    world.end();
  },
};
