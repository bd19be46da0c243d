// SPDX-License-Identifier: Apache-2.0
// A simulated fleet: hosts, the wire between them, the store. Everything that is random comes from one seed.
import { MARKS_OF, type NodeAction } from "@fairlead/protocol/node.ts";
import type { Random } from "#base/clock.ts";
import { markNode, readRoll } from "#control/roll-entries.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { breakStore, type Breakage } from "./breakage.ts";
import { describeIntent, listDoubles, SCOPE, SINGLETON, watchFences } from "./fleet-rules.ts";
import { beginLife } from "./life.ts";
import { DISK_MS } from "./sim-disk.ts";
import { createSimHost, type SimHost } from "./sim-host.ts";
import { createSimNetwork, QUIET_DELAY_MS, STORE, type SimNetwork } from "./sim-network.ts";
import { nameLeases, type StoreHealth } from "./sim-store.ts";
import { createTimeline, type Timeline } from "./timeline.ts";

export interface World {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly hosts: readonly SimHost[];
  readonly network: SimNetwork;
  /** The one that the nodes have now. */
  readonly store: Store;
  readonly health: StoreHealth;
  /** Cuts the way between two both ways, or only from the first to the second. */
  cut(from: string, to: string, oneWay?: boolean): void;
  /** The last time at which two could not hear each other, in the world's time. */
  cutMs(a: string, b: string): number;
  /** Wants so many instances of `web`, and of `one` a single one on the whole fleet. */
  want(replicas: number): Promise<void>;
  /** Marks a node as people do, if it stands on the roll. */
  mark(id: string, action: NodeAction): void;
  /** Takes the marks off all nodes when no node that runs may be given anything. */
  openUp(): Promise<void>;
  /** The store loses everything, and goes on empty. */
  wipe(): void;
  /** Whether it ever did. */
  readonly wiped: boolean;
  /** What was wanted last; undefined when the store has lost everything since. */
  readonly wanted: number | undefined;
  /** What went wrong between two looks, in words. */
  readonly violations: readonly string[];
  /** Ends all lives, and lets go of what they hold. */
  end(): void;
  /** Ends every fault but that hosts are down or stand still. */
  mend(): void;
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
}

/** A quiet world whose hosts have just been started; `breakage`: with a part that is broken. */
export function createWorld(seed: number, count: number, breakage?: Breakage): World {
  const timeline = createTimeline();
  const random = createSeededRandom(seed);
  const network = createSimNetwork(timeline, random);
  const violations: string[] = [];
  const report = (violation: string): void => void violations.push(violation);
  let stores = 0;
  const makeStore = (): Store => {
    const memory = createMemoryStore({ clock: beginLife(timeline, 0, 0).clock, shares: true });
    const named = nameLeases(memory, `s${stores++}`);
    return breakStore(watchFences(named, report), breakage);
  };
  let store = makeStore();
  let wanted: number | undefined = undefined;
  const health: StoreHealth = { away: false, delayMsMax: QUIET_DELAY_MS };
  const onStart = (service: string): void => {
    if (service !== SINGLETON) return;
    for (const double of listDoubles(hosts, timeline.nowMs))
      violations.push(`at ${(timeline.nowMs / 1_000).toFixed(3)} s ${double}`);
  };
  const ending = new AbortController();
  const around = {
    ended: ending.signal,
    breakage,
    timeline,
    random,
    network,
    store: () => store,
    health,
    mailboxes: new Map(),
    onStart,
  };
  const hosts: readonly SimHost[] = Array.from({ length: count }, (_, index) =>
    createSimHost(index, around),
  );
  const lastCutMs = new Map<string, number>();
  const pairOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);

  /** Notes who is cut off and who stands still now. */
  function look(): void {
    const places = [...hosts.map(({ id }) => id), STORE];
    for (const [at, a] of network.isWhole ? [] : places.entries())
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
    get store() {
      return store;
    },
    health,
    cut(from, to, oneWay = false) {
      network.cut(from, to);
      if (!oneWay) network.cut(to, from);
      look();
    },
    violations,
    mark(id, action) {
      const named = { id, name: id };
      // One that is not on the roll is not marked.
      markNode(store, named, MARKS_OF[action]).catch(() => undefined);
    },
    get wanted() {
      return wanted;
    },
    async openUp() {
      const { records } = await readRoll(store);
      const marked = records.filter(({ schedulable }) => !schedulable).map(({ id }) => id);
      const isOpen = hosts.some(({ id, node }) => node !== undefined && !marked.includes(id));
      for (const id of isOpen ? [] : marked) this.mark(id, "uncordon");
    },
    get wiped() {
      return stores > 1;
    },
    wipe() {
      wanted = undefined;
      const lost = store;
      store = makeStore();
      void lost[Symbol.asyncDispose]();
    },
    async want(replicas) {
      wanted = replicas;
      const value = { intent: describeIntent(replicas), origin: "n0", actor: "sim" };
      await store.transact([{ kind: "put", key: `intent/${SCOPE}`, value }]);
    },
    cutMs: (a, b) => lastCutMs.get(pairOf(a, b)) ?? -Infinity,
    end() {
      for (const host of hosts) host.crash();
      ending.abort("the world ends");
      void store[Symbol.asyncDispose]();
    },
    mend() {
      look();
      network.mendAll();
      network.loss = 0;
      network.delayMsMax = QUIET_DELAY_MS;
      health.away = false;
      health.delayMsMax = QUIET_DELAY_MS;
      for (const { disk } of hosts) disk.delayMsMax = DISK_MS;
    },
    async pass(durationMs) {
      look();
      network.tellCut();
      await timeline.runFor(durationMs);
      look();
    },
  };
}
