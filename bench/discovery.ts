// SPDX-License-Identifier: Apache-2.0
// How soon the death of an agent and changes of many are seen by those who watch.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { NODE_PROCESS_FLAGS } from "#config/process-flags.ts";
import type { Bench } from "./bench.ts";
import { measureWay, openMulticast, openPolling, openWatch } from "./discovery-ways.ts";
import { WorkerProcess } from "./worker-process.ts";

const PROGRAM = fileURLToPath(new URL("discovery-worker.ts", import.meta.url));
const WATCHERS = 20;
const KILLS = 50;
const AGENTS = 10_000;
const CHANGES = { aSecond: 1_000, seconds: 10 };
/** How often that is done: a leak would show as growth from one to the next. */
const ROUNDS = 5;
const HEARTBEAT_MS = 500;
const GROUP_KILLS = 20;
const TIMES = z.object({ atMs: z.array(z.number()) });
const MEASURED = z.object({
  delaysMs: z.array(z.number()),
  rssMb: z.number(),
  heapMb: z.number().optional(),
});

/** Ways to learn of the same agents, by the name of the subject. */
const WAYS: Readonly<Record<string, Parameters<typeof measureWay>[0]>> = {
  "asking each 1 s": (onSeen) => openPolling(1_000, onSeen),
  "asking each 100 ms": (onSeen) => openPolling(100, onSeen),
  watch: openWatch,
  multicast: openMulticast,
};

type Tools = Parameters<Bench["run"]>[0];

const start = (): WorkerProcess => new WorkerProcess({ program: PROGRAM });
/** The hub with the flags of a node's process, and one to look at what is alive. */
const startHub = (): WorkerProcess =>
  new WorkerProcess({ program: PROGRAM, flags: [...NODE_PROCESS_FLAGS, "--expose-gc"] });

/** Starts a process that joins, kills it once all have seen it. Milliseconds until the last watcher saw it gone. */
async function killOne(watching: WorkerProcess, name: string, joining: object): Promise<number> {
  const victim = start();
  await victim.order({ ...joining, name });
  await watching.order({ do: "await", type: "up", name });
  const gone = watching.order({ do: "await", type: "gone", name });
  const killedAtMs = await victim.kill();
  const { atMs } = TIMES.parse(await gone);
  return Math.max(...atMs) - killedAtMs;
}

async function measureDeaths(tools: Tools): Promise<void> {
  await using hub = start();
  const node = String((await hub.order({ do: "hub" }))["address"]);
  await using watching = start();
  await watching.order({ do: "watch", node, watchers: WATCHERS });
  for (let kill = 0; kill < KILLS; kill++) {
    const value = await killOne(watching, `victim-${kill}`, { do: "join", node });
    tools.sample({ metric: "gone_ms", unit: "ms", subject: "fairlead", value });
  }
  tools.say(`${KILLS} agents with streams killed, ${WATCHERS} watchers`);
}

async function measureGroupDeaths(tools: Tools): Promise<void> {
  const chance = (): number => Math.floor(Math.random() * 250) + 1;
  const group = {
    group: `239.255.${chance()}.${chance()}`,
    port: 20_000 + chance() * 40,
    heartbeatMs: HEARTBEAT_MS,
  };
  await using watching = start();
  await watching.order({ do: "watch-group", watchers: WATCHERS, ...group });
  for (let kill = 0; kill < GROUP_KILLS; kill++) {
    const tookMs = await killOne(watching, `victim-${kill}`, { do: "join-group", ...group });
    const value = tookMs / HEARTBEAT_MS;
    const subject = "fairlead";
    tools.sample({ metric: "gone_multicast_heartbeats", unit: "beats", subject, value });
  }
  tools.say(`${GROUP_KILLS} agents known by multicast killed, a heartbeat of ${HEARTBEAT_MS} ms`);
}

async function measureMany({ say, sample }: Tools): Promise<void> {
  await using hub = startHub();
  const put = (metric: string, unit: string, value: number): void =>
    sample({ metric, unit, subject: "fairlead", value });
  const readHub = async () => MEASURED.parse(await hub.order({ do: "measure" })).rssMb;
  const readHeap = async () => MEASURED.parse(await hub.order({ do: "measure" })).heapMb ?? 0;
  const node = String((await hub.order({ do: "hub" }))["address"]);
  put("hub_rss_empty_mb", "MiB", await readHub());
  await hub.order({ do: "fill", count: AGENTS });
  put("hub_rss_10000_agents_mb", "MiB", await readHub());
  await using watching = start();
  await watching.order({ do: "watch", node, watchers: WATCHERS });
  // Each watcher reads the 10,000 that are there; that is no delay of a change.
  await sleep(3_000);
  put("hub_heap_before_changes_mb", "MiB", await readHeap());
  say(`${CHANGES.aSecond} changes a second among ${AGENTS} agents, ${WATCHERS} watchers`);
  for (let round = 1; round <= ROUNDS; round++) {
    await hub.order({ do: "change", ...CHANGES });
    await sleep(2_000);
    put(`hub_rss_after_${round}0000_changes_mb`, "MiB", await readHub());
    put(`hub_heap_after_${round}0000_changes_mb`, "MiB", await readHeap());
  }
  const { delaysMs } = MEASURED.parse(await watching.order({ do: "measure" }));
  say(`${delaysMs.length} changes seen`);
  for (const value of delaysMs) put("watch_delay_ms", "ms", value);
}

async function measureWays({ say, sample }: Tools): Promise<void> {
  for (const [subject, open] of Object.entries(WAYS)) {
    say(`100 agents, one reader: ${subject}`);
    const { seenMs, idleKibPerMinute } = await measureWay(open);
    for (const value of seenMs) sample({ metric: "change_seen_ms", unit: "ms", subject, value });
    const value = idleKibPerMinute;
    sample({ metric: "idle_kib_a_minute", unit: "KiB", subject, value });
  }
}

export const discovery: Bench = {
  name: "discovery",
  about:
    "a killed agent gone from 20 watchers; asking, watching, multicast; 10,000 agents, 1,000 changes a second",
  async run(tools) {
    await measureDeaths(tools);
    await measureGroupDeaths(tools);
    await measureWays(tools);
    await measureMany(tools);
  },
};
