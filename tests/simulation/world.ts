// SPDX-License-Identifier: Apache-2.0
// A simulated fleet: hosts, the wire between them, the store. Everything that is random comes from one seed.
import type { Random } from "#base/clock.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { beginLife } from "./life.ts";
import { describeIntent, listDoubles, SCOPE, watchFences } from "./fleet-rules.ts";
import { createSimHost, type SimHost } from "./sim-host.ts";
import { createSimNetwork, QUIET_DELAY_MS, STORE, type SimNetwork } from "./sim-network.ts";
import type { StoreHealth } from "./sim-store.ts";
import { createTimeline, type Timeline } from "./timeline.ts";

export interface World {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly hosts: readonly SimHost[];
  readonly network: SimNetwork;
  readonly store: Store;
  readonly health: StoreHealth;
  /** Cuts the way between two both ways, or only from the first to the second. */
  cut(from: string, to: string, oneWay?: boolean): void;
  /** The last time at which two could not hear each other, in the world's time. */
  cutMs(a: string, b: string): number;
  /** Wants so many instances of `web`, and of `one` a single one on the whole fleet. */
  want(replicas: number): Promise<void>;
  /** What was wanted last. */
  readonly wanted: number;
  /** What went wrong between two looks, in words. */
  readonly violations: readonly string[];
  /** Ends every fault but that hosts are down or stand still. */
  mend(): void;
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
}

/** A quiet world whose hosts have just been started. */
export function createWorld(seed: number, count: number): World {
  const timeline = createTimeline();
  const random = createSeededRandom(seed);
  const network = createSimNetwork(timeline, random);
  const violations: string[] = [];
  const memory = createMemoryStore({ clock: beginLife(timeline, 0, 0).clock });
  const store = watchFences(memory, (violation) => violations.push(violation));
  const health: StoreHealth = { away: false, delayMsMax: QUIET_DELAY_MS };
  const onStart = (): void => void violations.push(...listDoubles(hosts, timeline.nowMs));
  const around = { timeline, random, network, store, health, mailboxes: new Map(), onStart };
  const hosts: readonly SimHost[] = Array.from({ length: count }, (_, index) =>
    createSimHost(index, around),
  );
  let wanted = 0;
  const lastCutMs = new Map<string, number>();
  const pairOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);

  /** Notes who is cut off and who stands still now. */
  function look(): void {
    const places = [...hosts.map(({ id }) => id), STORE];
    for (const [at, a] of places.entries())
      for (const b of places.slice(at + 1))
        if (!network.reaches(a, b) || !network.reaches(b, a))
          lastCutMs.set(pairOf(a, b), timeline.nowMs);
    for (const host of hosts)
      if (host.node === undefined || host.node.life.pausedUntilMs > timeline.nowMs)
        host.disturbedMs = timeline.nowMs;
      else host.disturbedMs = Math.max(host.disturbedMs, host.node.life.pausedUntilMs);
  }

  for (const host of hosts) host.start();
  return {
    timeline,
    random,
    hosts,
    network,
    store,
    health,
    cut(from, to, oneWay = false) {
      network.cut(from, to);
      if (!oneWay) network.cut(to, from);
      look();
    },
    violations,
    get wanted() {
      return wanted;
    },
    async want(replicas) {
      wanted = replicas;
      const value = { intent: describeIntent(replicas), origin: "n0", actor: "sim" };
      await store.transact([{ kind: "put", key: `intent/${SCOPE}`, value }]);
    },
    cutMs: (a, b) => lastCutMs.get(pairOf(a, b)) ?? -Infinity,
    mend() {
      look();
      network.mendAll();
      network.loss = 0;
      network.delayMsMax = QUIET_DELAY_MS;
      health.away = false;
      health.delayMsMax = QUIET_DELAY_MS;
    },
    async pass(durationMs) {
      look();
      await timeline.runFor(durationMs);
      look();
    },
  };
}
