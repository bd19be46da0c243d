// SPDX-License-Identifier: Apache-2.0
// What one planning pass looks at and collects. Built once a pass so that the cost stays linear in instances.
import type { PlannedAction, Reconciliation, RollingService, Waiting } from "#model/action.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ScopeMemory, type ServiceMemory } from "#model/memory.ts";
import { createGround, type Ground } from "./ground.ts";
import { normalizeReference } from "./naming.ts";

/** A key whose last action failed: not again before `untilMs`. */
export interface Hold {
  readonly untilMs: number;
  readonly reason: string;
  /** Whether trying again can help at all. */
  readonly final: boolean;
}

/**
 * All that planning looks at: what is wanted, observed and remembered of one scope, the time, and what is under way.
 */
export interface ReconcileInput {
  readonly intent: Intent;
  readonly facts: Facts;
  readonly memory: ScopeMemory;
  /** Wall clock, milliseconds: compared with the engine's times. */
  readonly nowMs: number;
  /** Keys whose action is running now. */
  readonly busy: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, Hold>;
  /** By service; absent without a fleet, and while it does not answer. */
  readonly elsewhere?: ElsewhereBook | undefined;
  /** Whether singletons may run here; absent without a fleet, where they may. */
  readonly fence?: Fence | undefined;
  /** By service, of those that stand on several nodes: whose turn it is here. Absent where nobody gives turns. */
  readonly turns?: ReadonlyMap<string, OwnTurns> | undefined;
  /** Whether images can be got from other nodes of a fleet. */
  readonly fetchesImages?: boolean | undefined;
}

/** How many instances of a service other nodes of the fleet are to have, and have. */
export interface Elsewhere {
  readonly wanted: number;
  readonly started: number;
  readonly healthy: number;
  readonly completed: number;
}

/** Service to what other nodes are to have of it, and have. */
export type ElsewhereBook = Pick<ReadonlyMap<string, Elsewhere>, "get">;

/** Which slots of a service may change on this node now. */
export interface OwnTurns {
  /** Slot to the run of its container that may end. */
  readonly slots: ReadonlyMap<number, string>;
  /** Set once the change has failed on any node. */
  readonly failed: { readonly hash: string; readonly reason: string } | undefined;
}

/**
 * `open`: this node's lease in the fleet's store lives. `unsure`: it has just started and asks for one. `shut`: it has
 * none, so that another node may start what must not run twice.
 */
export type Fence = "open" | "unsure" | "shut";

/** Something an instance needs and the engine lacks. `final`: it will not come by itself. */
export interface Gap {
  readonly reason: string;
  readonly final: boolean;
}

/** What is found once a pass and asked for by many slots. */
export interface Findings {
  /** Why a configuration may not start: at a first start, and later. */
  readonly firstBlocks: Map<ServiceIntent, string | undefined>;
  readonly laterBlocks: Map<ServiceIntent, string | undefined>;
  readonly finalBlocks: Map<ServiceIntent, boolean>;
  readonly gaps: Map<ServiceIntent, Gap | undefined>;
  /** Service to the best container of each wanted slot. */
  readonly best: Map<ServiceIntent, readonly (InstanceFact | undefined)[]>;
  /** Service to the time at which the first of its instances was started, all of them being up. */
  readonly oldestStart: Map<ServiceIntent, number | undefined>;
}

/** One look at a scope: what it is given, where it looks things up, and what it collects. */
export interface Pass extends ReconcileInput, Ground {
  readonly findings: Findings;
  memoryOf(service: string): ServiceMemory;
  hasImage(reference: string): boolean;
  /** Adds an action unless its key is busy or held; then it adds why not. */
  act(action: PlannedAction): void;
  wait(waiting: Waiting): void;
  /** Notes how a service changes here whose turns others give. */
  roll(service: string, rolling: RollingService): void;
  /** Asks for another pass at that time, if it lies ahead. */
  wakeAt(timeMs: number): void;
  /** What was decided and noted since the last call. Keys stay taken. */
  take(): Reconciliation;
}

/** Trying again helps where the ladder goes on to another act, an engine comes up slowly, or another node may get the image. */
function isFinal(hold: Hold, action: PlannedAction): boolean {
  const mends = action.act === "instance.start" || action.act === "image.fetch";
  return hold.final && action.budget === undefined && !mends;
}

/** Collects what a pass decides; keeps keys unique. */
function createCollector(input: ReconcileInput) {
  const keys = new Set<string>();
  let actions: PlannedAction[] = [];
  let waiting: Waiting[] = [];
  let wakeAtMs: number | undefined;
  const rolling: Record<string, RollingService> = {};
  function wakeAt(timeMs: number): void {
    if (timeMs > input.nowMs && (wakeAtMs === undefined || timeMs < wakeAtMs)) wakeAtMs = timeMs;
  }
  function wait(entry: Waiting): void {
    waiting.push(entry);
    if (entry.untilMs !== undefined) wakeAt(entry.untilMs);
  }
  function act(action: PlannedAction): void {
    if (input.busy.has(action.key) || keys.has(action.key)) return;
    const hold = input.held.get(action.key);
    if (hold !== undefined && (isFinal(hold, action) || hold.untilMs > input.nowMs)) {
      const final = isFinal(hold, action);
      wait({
        service: action.service ?? "",
        ...(action.slot === undefined ? {} : { slot: action.slot }),
        reason: hold.reason,
        kind: final ? "failed" : "backoff",
        ...(final ? {} : { untilMs: hold.untilMs }),
      });
      return;
    }
    keys.add(action.key);
    actions.push(action);
  }
  function roll(service: string, one: RollingService): void {
    rolling[service] = one;
  }
  function take(): Reconciliation {
    const told = input.turns === undefined ? {} : { rolling: { ...rolling } };
    const taken = { actions, waiting, wakeAtMs, ...told };
    actions = [];
    waiting = [];
    wakeAtMs = undefined;
    return taken;
  }
  return { act, wait, wakeAt, roll, take };
}

/** What is remembered of a service; a change that failed on another node has failed here. */
function readMemory({ memory, turns, nowMs }: ReconcileInput, service: string): ServiceMemory {
  const own = memory.get(service) ?? EMPTY_SERVICE_MEMORY;
  const failed = turns?.get(service)?.failed;
  if (failed === undefined || own.rolloutFailed !== undefined) return own;
  return { ...own, rolloutFailed: { ...failed, atMs: nowMs } };
}

/** Prepares a pass over one scope. `ground` has to be that of the intent and the facts. */
export function createPass(
  input: ReconcileInput,
  ground: Ground = createGround(input.intent, input.facts),
): Pass {
  return {
    ...input,
    ...createCollector(input),
    services: ground.services,
    networkIntents: ground.networkIntents,
    volumeIntents: ground.volumeIntents,
    observed: ground.observed,
    networks: ground.networks,
    volumes: ground.volumes,
    slotsOf: (service) => ground.slotsOf(service),
    findInstance: (idOrName) => ground.findInstance(idOrName),
    findings: {
      firstBlocks: new Map(),
      laterBlocks: new Map(),
      finalBlocks: new Map(),
      gaps: new Map(),
      best: new Map(),
      oldestStart: new Map(),
    },
    memoryOf: (service) => readMemory(input, service),
    hasImage: (reference) => input.facts.images.has(normalizeReference(reference)),
  };
}

/** The observed containers of some services, in an order that does not depend on the order of the facts. */
export function* listObserved(
  pass: Pass,
  isMeant: (service: string) => boolean,
): Generator<{ service: string; slot: number; instances: readonly InstanceFact[] }> {
  const meant = [...pass.observed].filter(([service]) => isMeant(service));
  for (const [service, slots] of meant.sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const [slot, instances] of [...slots].sort(([a], [b]) => a - b))
      yield { service, slot, instances };
  }
}

/** True for a container that Fairlead made, as opposed to one that it found. */
export function isOwn(instance: InstanceFact): boolean {
  return instance.labels[OWN_LABELS.scope] !== undefined;
}

/** True for a container whose making was cut off: it lacks networks or files, and is no instance of anything. */
export function isUnfinished(instance: InstanceFact): boolean {
  return instance.labels[OWN_LABELS.madeAs] === instance.name;
}

/** True for a container that Fairlead made or has taken over; others are looked at only. */
export function isManaged(instance: InstanceFact, memory: ServiceMemory): boolean {
  return instance.hash !== undefined || memory.adopted[instance.id] !== undefined;
}

/** The configuration a container counts as having: its label, what it was adopted as, or what `up` found it to be. */
export function hashOf(instance: InstanceFact, memory: ServiceMemory): string | undefined {
  return memory.countsAs?.[instance.id] ?? memory.adopted[instance.id] ?? instance.hash;
}

/** Until when automation of a service is paused; undefined when it is not. */
export function findPauseEnd(memory: ServiceMemory, nowMs: number): number | undefined {
  const untilMs = memory.pausedUntilMs ?? 0;
  return untilMs > nowMs ? untilMs : undefined;
}

/** Running and, where there is a health check, healthy. */
export function isHealthy(instance: InstanceFact): boolean {
  return (
    instance.state === "running" && (instance.health === "none" || instance.health === "healthy")
  );
}

/** Healthy, and without a health check up for the time after which it counts as good. */
export function isReady(instance: InstanceFact, monitorMs: number, nowMs: number): boolean {
  if (!isHealthy(instance)) return false;
  return instance.health === "healthy" || nowMs - instance.startedAtMs >= monitorMs;
}
