// SPDX-License-Identifier: Apache-2.0
// A host of the simulated fleet: its disk stays, its node lives, dies and lives again.
import type { Random } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { createDecisionLog, type DecisionLog } from "#control/decision-log.ts";
import type { Fleet } from "#control/fleet.ts";
import { createRoll, type Roll } from "#control/roll.ts";
import { scopeKey } from "#control/supervisor.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { breakDisk, type Breakage } from "./breakage.ts";
import { beginLife, type Life } from "./life.ts";
import { createDiskDoor, DISK_MS, type DiskHealth } from "./sim-disk.ts";
import { createSimEngine, type SimEngine } from "./sim-engine.ts";
import { startSimMembership, type Mailboxes } from "./sim-membership.ts";
import type { SimNetwork } from "./sim-network.ts";
import { startServices, type SimServices } from "./sim-services.ts";
import { createStoreDoor, type StoreHealth } from "./sim-store.ts";
import type { Timeline } from "./timeline.ts";

/** What all hosts share. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: SimNetwork;
  /** The fleet's, as it is now. */
  readonly store: () => Store;
  readonly health: StoreHealth;
  readonly mailboxes: Mailboxes;
  /** Called when an instance of a service has started anywhere. */
  readonly onStart: (service: string) => void;
  /** Aborts when the world ends: what waits for a signal is kept in memory until then. */
  readonly ended: AbortSignal;
  readonly breakage: Breakage | undefined;
}

/** A node that runs. */
export interface RunningNode {
  readonly life: Life;
  readonly roll: Roll;
  readonly decisions: DecisionLog;
  /** Since when it asks others whether they live, in the world's time; undefined while it could not enter the roll. */
  memberSinceMs: number | undefined;
  /** Since when each other one stands on its roll, by id, in the world's time. */
  readonly knownSinceMs: Map<string, number>;
  /** What runs on it; undefined until it has looked at its disk. */
  services: SimServices | undefined;
}

export interface SimHost {
  readonly id: string;
  /** Undefined while it is down. */
  readonly node: RunningNode | undefined;
  readonly engine: SimEngine;
  readonly disk: DiskHealth;
  /** Since when its node runs, in the world's time. */
  readonly startedMs: number;
  /** Decisions of all its lives, by id. */
  findDecision(id: string): Promise<unknown>;
  /** What its own store says is wanted of a scope. */
  findDesired(scope: string): Promise<unknown>;
  /** Lives that entered the roll, by their incarnations. */
  readonly incarnations: readonly number[];
  /** What its loops threw: nothing, ever. */
  readonly failures: readonly string[];
  /** The last time at which it was down or stood still, in the world's time. */
  disturbedMs: number;
  start(): void;
  /** Its power fails: node and containers end. */
  crash(): void;
  /** The node's process ends without a word; its containers go on. */
  kill(): void;
  /** It is told to end, as for an upgrade: it says farewell first. Its containers go on. To be started once it has ended. */
  end(): void;
  /** Whether a life that was told to end has not done so yet. */
  readonly isEnding: boolean;
  jumpClock(byMs: number): void;
}

const ZONES = ["x", "y"];

function describeSelf(index: number) {
  return {
    id: `n${index}`,
    name: `host-${index}`,
    address: `10.0.0.${index + 1}`,
    port: 7_120,
    version: "0.1.0",
    os: "linux",
    arch: "x86_64",
    cpuCount: 4,
    memoryBytes: 8 * 2 ** 30,
    labels: { zone: ZONES[index % ZONES.length] ?? "" },
    devices: {},
  };
}

/** A host that is down. */
export function createSimHost(index: number, around: Surroundings): SimHost {
  const { timeline, random, network, store, mailboxes } = around;
  const id = `n${index}`;
  const incarnations: number[] = [];
  const failures: string[] = [];
  const startMs = 1_000 + random() * 1e6;
  let skewMs = (random() - 0.5) * 10_000;
  let node: RunningNode | undefined;
  let ending = new AbortController();
  let leaving: Life | undefined;
  around.ended.addEventListener("abort", () => ending.abort(around.ended.reason));
  // Its own disk: it outlives the node, and is written without the network.
  const disk = createMemoryStore({ clock: beginLife(timeline, 0, 0).clock, shares: true });
  around.ended.addEventListener("abort", () => void disk[Symbol.asyncDispose]());
  const health: DiskHealth = { delayMsMax: DISK_MS };
  let startedMs = 0;
  let [seenMs, bootedMs] = [0, 0];
  let upFromMs = 0;
  const wallMs = (): number => beginLife(timeline, startMs, skewMs).clock.nowMs();
  const engine = createSimEngine({
    timeline,
    random,
    nowMs: wallMs,
    host: id,
    onStart: around.onStart,
    stops: around.breakage !== "stop",
  });
  const self = describeSelf(index);

  /** `entered` notes that it takes part, and says whether it did before. */
  function describeFleet(life: Life, entered: () => boolean): Fleet {
    return {
      name: "sim",
      openStore: () =>
        Promise.resolve(
          createStoreDoor({ store, health: around.health, network, life, node: id, random }),
        ),
      makeKey: () => "c2ltdWxhdGVk",
      describeAccess: () => Promise.resolve({ endpoints: [] }),
      startMembership({ incarnation, firstSequence = 0 }) {
        // One that is given another key of the fleet begins to ask anew in the same life.
        if (!entered()) incarnations.push(incarnation);
        const parts = { id, incarnation, firstSequence, life, network, mailboxes, random };
        return Promise.resolve(startSimMembership(parts));
      },
      // Nobody joins in a simulation: all are there from the first.
      knock: () => Promise.resolve(),
    };
  }

  function start(): void {
    const life = beginLife(timeline, startMs, skewMs);
    const { clock } = life;
    ending = new AbortController();
    const { signal } = ending;
    const logger = silentLogger;
    const door = createDiskDoor(disk, { life, health, random });
    const own = breakDisk(door, around.breakage);
    const decisions = createDecisionLog({ store: own, clock, random, logger });
    const fleet = describeFleet(life, () => {
      const didBefore = running.memberSinceMs !== undefined;
      running.memberSinceMs = timeline.nowMs;
      return didBefore;
    });
    const roll = createRoll({ self, fleet, store: own, decisions, clock, logger });
    roll.onLook(() => {
      const { knownSinceMs: since } = running;
      const listed = new Set(roll.list().map((view) => view.id));
      for (const one of since.keys()) if (!listed.has(one)) since.delete(one);
      for (const one of listed) if (!since.has(one)) since.set(one, timeline.nowMs);
    });
    const onFailure = (failure: string): void => void failures.push(failure);
    const { name, os, arch, labels, cpuCount, memoryBytes } = self;
    const traits = { id, hostName: name, os, arch, labels, engineLabels: {} };
    const parts = { traits, cpuCount, memoryBytes, fleet, roll, decisions, life, random };
    const hostUpMs = (): number => timeline.nowMs - upFromMs;
    const past = { lastSeenMs: seenMs, hostStartedAtMs: bootedMs, hostUpMs };
    const running: RunningNode = {
      life,
      roll,
      decisions,
      memberSinceMs: undefined,
      knownSinceMs: new Map(),
      services: undefined,
    };
    node = running;
    host.disturbedMs = timeline.nowMs;
    startedMs = timeline.nowMs;
    async function run(): Promise<void> {
      // As a node begins: what a life before this one left open gets its end first.
      await decisions.recover();
      const calls = { store: own, engine: engine.open(life), signal, onFailure };
      const isFenced = around.breakage !== "fence-wait";
      running.services = await startServices({ ...parts, ...past, ...calls, isFenced });
      await Promise.all([roll.run(signal), running.services.ended]);
      life.kill();
    }
    life.after(0, () => void run().catch((thrown: unknown) => onFailure(String(thrown))));
  }

  function part(): void {
    node = undefined;
    host.disturbedMs = timeline.nowMs;
    seenMs = wallMs();
  }

  function kill(): void {
    node?.life.kill();
    mailboxes.delete(id);
    part();
  }

  function end(): void {
    leaving = node?.life;
    ending.abort(new Error("the node was told to end"));
    part();
  }

  const host: SimHost = {
    id,
    engine,
    disk: health,
    get startedMs() {
      return startedMs;
    },
    findDecision: async (decision) => (await disk.get(`decision/${decision}`))?.value,
    findDesired: async (scope) => (await disk.get(scopeKey(scope)))?.value,
    incarnations,
    failures,
    disturbedMs: 0,
    get node() {
      return node;
    },
    start,
    crash() {
      kill();
      engine.restart();
      bootedMs = wallMs() + 1;
      upFromMs = timeline.nowMs;
    },
    kill,
    end,
    get isEnding() {
      return leaving?.dead === false;
    },
    jumpClock(byMs) {
      skewMs += byMs;
      if (node !== undefined) node.life.skewMs = skewMs;
    },
  };
  return host;
}
