// SPDX-License-Identifier: Apache-2.0
// What one node of the simulated fleet places, follows, reports and runs. The loops are the real ones; only the engine is
// played: an instance takes a moment to start, ends at once, and is gone when the host is.
import type { Random } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { listSlots } from "#brain/slots.ts";
import { buildFacts } from "#brain/testing/builders.ts";
import { buildReport } from "#brain/testing/fleet.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import type { Intake } from "#control/intake.ts";
import type { Roll } from "#control/roll.ts";
import type { Desired, ScopeLoop } from "#control/scope-loop.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { NodeTraits } from "#model/constraint.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { openPlacing } from "#node/start-placing.ts";
import type { Life } from "./life.ts";

const START_MS = 300;
const LOOK_MS = 200;
const DISK_MS = 2;

export interface ServicesParts {
  readonly traits: NodeTraits;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly fleet: Fleet;
  readonly roll: Roll;
  readonly decisions: DecisionLog;
  readonly life: Life;
  readonly random: Random;
  /** What its own store says is wanted here, by scope: it outlives the node. */
  readonly disk: Map<string, Desired>;
  /** Called when an instance has started. */
  readonly onStart: () => void;
  readonly onFailure: (failure: string) => void;
}

/** What runs on a node, `service/slot`. */
export interface SimServices {
  readonly running: ReadonlySet<string>;
  /** Id of the node that leads, as far as this one knows. */
  leader(): string | undefined;
}

interface Wanted {
  readonly key: string;
  readonly singleton: boolean;
}

function listWanted({ intent, removal }: Desired): readonly Wanted[] {
  if (removal !== undefined) return [];
  return intent.services.flatMap((service) =>
    listSlots(service).map((slot) => ({
      key: `${service.name}/${slot}`,
      singleton: service.singleton === true,
    })),
  );
}

/** Starts the loops; they end with the life. */
export function startServices(parts: ServicesParts): SimServices {
  const { traits, cpuCount, memoryBytes, fleet, roll, decisions, life, random, disk } = parts;
  const { clock } = life;
  const facts = buildFacts([], { node: traits });
  const placing = openPlacing({
    fleet,
    self: { id: traits.id, cpuCount, memoryBytes, devices: {} },
    roll,
    decisions,
    board: { ready: true, read: () => facts } as FactsBoard,
    clock,
    random,
    logger: silentLogger,
  });
  const running = new Set<string>();
  const starting = new Set<string>();

  const mayRun = ({ singleton }: Wanted): boolean => !singleton || placing.fence() === "open";
  const findWanted = (key: string): Wanted | undefined =>
    [...disk.values()].flatMap(listWanted).find((one) => one.key === key);

  function begin(key: string): void {
    starting.delete(key);
    const wanted = findWanted(key);
    if (wanted === undefined || !mayRun(wanted)) return;
    running.add(key);
    parts.onStart();
    placing.notePass();
  }

  function look(): void {
    for (const key of running) {
      const wanted = findWanted(key);
      const isShut = wanted?.singleton === true && placing.fence() === "shut";
      if (wanted === undefined || isShut) running.delete(key);
    }
    for (const [scope, desired] of disk) {
      if (desired.removal !== undefined) disk.delete(scope);
      for (const wanted of listWanted(desired)) {
        if (running.has(wanted.key) || starting.has(wanted.key) || !mayRun(wanted)) continue;
        starting.add(wanted.key);
        life.after(START_MS, () => begin(wanted.key));
      }
    }
    placing.notePass();
  }

  const loopOf = (scope: string): ScopeLoop | undefined => {
    const desired = disk.get(scope);
    if (desired === undefined) return undefined;
    const last = { actions: [], waiting: [], wakeAtMs: undefined };
    return { desired, last, wake: look } as Partial<ScopeLoop> as ScopeLoop;
  };
  const supervisor: Supervisor = {
    loaded: true,
    loop: loopOf,
    get loops() {
      return new Map(
        [...disk.keys()].flatMap((scope) => {
          const loop = loopOf(scope);
          return loop === undefined ? [] : [[scope, loop] as const];
        }),
      );
    },
    managed: new Set(),
    run: () => Promise.resolve(),
  };

  async function put(desired: Desired): Promise<void> {
    await clock.sleep(DISK_MS);
    disk.set(desired.intent.scope, desired);
    look();
  }
  const intake: Intake = { refresh: () => (_service, memory) => memory, take: put, put };

  function viewLocal(scope: string): ScopeView | undefined {
    const desired = disk.get(scope);
    if (desired === undefined) return undefined;
    const views = desired.intent.services.map(({ name }) => {
      const own = [...running].filter((key) => key.startsWith(`${name}/`));
      const slots = own.map((key) => Number(key.slice(name.length + 1))).toSorted((a, b) => a - b);
      return buildReport(name, slots).view;
    });
    const [first] = views;
    return first && { ...first, scope, services: views.flatMap((one) => one?.services ?? []) };
  }

  const local = { supervisor, intake, viewLocal, publishSoon: () => undefined };
  const signal = new AbortController().signal;
  for (const loop of placing.attend(local))
    loop.run(signal).catch((thrown: unknown) => parts.onFailure(String(thrown)));
  const again = (): void => {
    look();
    life.after(LOOK_MS, again);
  };
  again();
  return { running, leader: () => placing.leader() };
}
