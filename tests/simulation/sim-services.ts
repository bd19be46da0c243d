// SPDX-License-Identifier: Apache-2.0
// What one node of the simulated fleet places, follows, reports, and runs on its engine. All loops are the real ones: from
// what people want to the engine's calls.
import type { Random } from "#base/clock.ts";
import { createLimiter } from "#base/limiter.ts";
import { silentLogger } from "#base/logger.ts";
import { createActor } from "#control/actor.ts";
import { createAlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { createEventFeed } from "#control/event-feed.ts";
import { createEvidence } from "#control/evidence.ts";
import { createFactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import { createIntake } from "#control/intake.ts";
import { loadMemoryBoard } from "#control/memory-board.ts";
import type { Roll } from "#control/roll.ts";
import { createScopeViews } from "#control/scope-views.ts";
import { createSupervisor } from "#control/supervisor.ts";
import type { Engine } from "#engine/engine.ts";
import type { NodeTraits } from "#model/constraint.ts";
import { openPlacing } from "#node/start-placing.ts";
import type { Store } from "#store/store.ts";
import type { Life } from "./life.ts";

/** As many as a node's settings allow unless told otherwise. */
const BULK_WIDTH = 4;
const HEAL_WIDTH = 16;
const RESYNC_MS = 60_000;

export interface ServicesParts {
  readonly traits: NodeTraits;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly fleet: Fleet;
  readonly roll: Roll;
  readonly decisions: DecisionLog;
  readonly life: Life;
  readonly random: Random;
  /** Its own: it outlives the node. */
  readonly store: Store;
  readonly engine: Engine;
  /** When a node last saw the engine, and when the host came up, in the host's time. */
  readonly lastSeenMs: number;
  readonly hostStartedAtMs: number;
  /** For how long the host has been up, milliseconds. */
  readonly hostUpMs: () => number;
  readonly signal: AbortSignal;
  /** Whether it asks before it runs a singleton. */
  readonly isFenced: boolean;
  readonly onFailure: (failure: string) => void;
}

/** How a node that runs services stands. */
export interface SimServices {
  /** Id of the node that leads, as far as this one knows. */
  leader(): string | undefined;
  /** Resolves once all its loops have ended, as they do when the signal has aborted. */
  readonly ended: Promise<unknown>;
}

/** Starts the loops; they end with the life. */
export async function startServices(parts: ServicesParts): Promise<SimServices> {
  const { traits, cpuCount, memoryBytes, fleet, roll, decisions, life, random } = parts;
  const { store, engine, signal, lastSeenMs, hostStartedAtMs } = parts;
  const { clock } = life;
  const logger = silentLogger;
  const alerts = createAlertBoard(clock, random);
  const board = createFactsBoard({
    engine,
    clock,
    logger,
    engineGap: undefined,
    lastSeenMs,
    hostStartedAtMs,
    onGap: () => undefined,
    resyncIntervalMs: RESYNC_MS,
    nodeLabels: traits.labels,
  });
  const memory = await loadMemoryBoard(store);
  const self = { id: traits.id, cpuCount, memoryBytes, devices: {} };
  const { hostUpMs } = parts;
  const own = { self, store, hostUpMs, decisions, board };
  const placing = openPlacing({ fleet, roll, ...own, clock, random, logger });
  const supervisor = createSupervisor({
    store,
    board,
    memory,
    decisions,
    alerts,
    actor: createActor({ engine, board, clock }),
    evidence: createEvidence(engine, board),
    clock,
    logger,
    bulk: createLimiter(BULK_WIDTH),
    heal: createLimiter(HEAL_WIDTH),
    elsewhere: (scope) => placing.desk.elsewhere(scope),
    turns: (scope) => placing.desk.turns(scope),
    fence: (intent) => (parts.isFenced ? placing.fence(intent) : "open"),
    onPass: (loop) => placing.notePass(loop.desired.intent.scope),
    startedAtMs: clock.nowMs(),
  });
  const views = createScopeViews(supervisor, board, createEventFeed("ep_sim"), clock, {
    fleet: placing.desk,
  });
  const intake = createIntake({ store, board, supervisor, memory, clock });
  const local = {
    supervisor,
    intake,
    viewLocal: views.readLocal,
    publishSoon: () => undefined,
  };
  const ended = [board, supervisor, ...placing.attend(local)].map((loop) =>
    loop.run(signal).catch((thrown: unknown) => parts.onFailure(String(thrown))),
  );
  return { leader: () => placing.leader(), ended: Promise.all(ended) };
}
