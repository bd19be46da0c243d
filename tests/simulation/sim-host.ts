// SPDX-License-Identifier: Apache-2.0
// A host of the simulated fleet: its disk stays, its node lives, dies and lives again.
import type { Random } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { createDecisionLog, type DecisionLog } from "#control/decision-log.ts";
import type { Fleet } from "#control/fleet.ts";
import { createRoll, type Roll } from "#control/roll.ts";
import type { Desired } from "#control/scope-loop.ts";
import { createMemoryStore } from "#store/drivers/memory/driver.ts";
import type { Store } from "#store/store.ts";
import { beginLife, type Life } from "./life.ts";
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
  readonly store: Store;
  readonly health: StoreHealth;
  readonly mailboxes: Mailboxes;
  /** Called when an instance has started anywhere. */
  readonly onStart: () => void;
}

/** A node that runs. */
export interface RunningNode {
  readonly life: Life;
  readonly roll: Roll;
  readonly decisions: DecisionLog;
  /** Since when it asks others whether they live, in the world's time; undefined while it could not enter the roll. */
  memberSinceMs: number | undefined;
  /** What runs on it; undefined until it has looked at its disk. */
  services: SimServices | undefined;
}

export interface SimHost {
  readonly id: string;
  /** Undefined while it is down. */
  readonly node: RunningNode | undefined;
  /** Lives that entered the roll, by their incarnations. */
  readonly incarnations: readonly number[];
  /** What its loops threw: nothing, ever. */
  readonly failures: readonly string[];
  /** The last time at which it was down or stood still, in the world's time. */
  disturbedMs: number;
  start(): void;
  crash(): void;
  jumpClock(byMs: number): void;
}

const ZONES = ["x", "y"];

/** A host that is down. */
export function createSimHost(index: number, around: Surroundings): SimHost {
  const { timeline, random, network, store, health, mailboxes } = around;
  const id = `n${index}`;
  const incarnations: number[] = [];
  const failures: string[] = [];
  const startMs = 1_000 + random() * 1e6;
  let skewMs = (random() - 0.5) * 10_000;
  let node: RunningNode | undefined;
  // Its own disk: it outlives the node, and is written without the network.
  const disk = createMemoryStore({ clock: beginLife(timeline, 0, 0).clock });
  const desired = new Map<string, Desired>();
  const self = {
    id,
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

  function describeFleet(life: Life, entered: () => void): Fleet {
    return {
      name: "sim",
      openStore: () =>
        Promise.resolve(createStoreDoor({ store, health, network, life, node: id, random })),
      makeKey: () => "c2ltdWxhdGVk",
      describeAccess: () => Promise.resolve({ endpoints: [] }),
      startMembership({ incarnation }) {
        incarnations.push(incarnation);
        entered();
        const parts = { id, incarnation, life, network, mailboxes, random };
        return Promise.resolve(startSimMembership(parts));
      },
    };
  }

  function start(): void {
    const life = beginLife(timeline, startMs, skewMs);
    const { clock } = life;
    const logger = silentLogger;
    const decisions = createDecisionLog({ store: disk, clock, random, logger });
    const fleet = describeFleet(life, () => (running.memberSinceMs = timeline.nowMs));
    const roll = createRoll({ self, fleet, decisions, clock, logger });
    const onFailure = (failure: string): void => void failures.push(failure);
    const { name, os, arch, labels, cpuCount, memoryBytes } = self;
    const traits = { id, hostName: name, os, arch, labels, engineLabels: {} };
    const own = { traits, cpuCount, memoryBytes, fleet, roll, decisions, life, random };
    const running: RunningNode = {
      life,
      roll,
      decisions,
      memberSinceMs: undefined,
      services: undefined,
    };
    node = running;
    host.disturbedMs = timeline.nowMs;
    // As a node begins: what a life before this one left open gets its end first.
    life.after(0, () => {
      decisions
        .recover()
        .then(() => {
          const { onStart } = around;
          running.services = startServices({ ...own, disk: desired, onStart, onFailure });
          return roll.run(new AbortController().signal);
        })
        .catch((thrown: unknown) => onFailure(String(thrown)));
    });
  }

  const host: SimHost = {
    id,
    incarnations,
    failures,
    disturbedMs: 0,
    get node() {
      return node;
    },
    start,
    crash() {
      node?.life.kill();
      node = undefined;
      mailboxes.delete(id);
      host.disturbedMs = timeline.nowMs;
    },
    jumpClock(byMs) {
      skewMs += byMs;
      if (node !== undefined) node.life.skewMs = skewMs;
    },
  };
  return host;
}
