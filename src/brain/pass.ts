// SPDX-License-Identifier: Apache-2.0
// What one planning pass looks at and collects. Built once a pass so that the cost stays linear in instances.
import type { PlannedAction, Reconciliation, Waiting } from "#model/action.ts";
import { OWN_LABELS, type Facts, type InstanceFact, type NetworkFact } from "#model/facts.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ScopeMemory, type ServiceMemory } from "#model/memory.ts";
import { normalizeReference } from "./naming.ts";

/** A key whose last action failed: not again before `untilMs`. */
export interface Hold {
  readonly untilMs: number;
  readonly reason: string;
  /** Whether trying again can help at all. */
  readonly final: boolean;
}

export interface ReconcileInput {
  readonly intent: Intent;
  readonly facts: Facts;
  readonly memory: ScopeMemory;
  /** Wall clock, milliseconds: compared with the engine's times. */
  readonly nowMs: number;
  /** Keys whose action is running now. */
  readonly busy: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, Hold>;
}

/** Slot number to containers of that slot. */
export type Slots = ReadonlyMap<number, readonly InstanceFact[]>;

const NO_SLOTS: Slots = new Map();

export interface Pass extends ReconcileInput {
  readonly services: ReadonlyMap<string, ServiceIntent>;
  readonly observed: ReadonlyMap<string, Slots>;
  readonly networks: ReadonlyMap<string, NetworkFact>;
  /** Reasons why a service may not start, found once a pass; key `service first?`. */
  readonly blocks: Map<string, string | undefined>;
  slotsOf(service: string): Slots;
  memoryOf(service: string): ServiceMemory;
  hasImage(reference: string): boolean;
  /** Every container of the engine by id and by name, also of other scopes. */
  findInstance(idOrName: string): InstanceFact | undefined;
  /** Adds an action unless its key is busy or held; then it adds why not. */
  act(action: PlannedAction): void;
  wait(waiting: Waiting): void;
  finish(): Reconciliation;
}

function indexInstances(scope: string, facts: Facts): Map<string, Map<number, InstanceFact[]>> {
  const observed = new Map<string, Map<number, InstanceFact[]>>();
  for (const instance of facts.instances) {
    if (instance.scope !== scope || instance.oneoff || instance.service === "") continue;
    let slots = observed.get(instance.service);
    if (slots === undefined) observed.set(instance.service, (slots = new Map()));
    const slot = slots.get(instance.slot);
    if (slot === undefined) slots.set(instance.slot, [instance]);
    else slot.push(instance);
  }
  return observed;
}

function indexAll(facts: Facts): Map<string, InstanceFact> {
  const all = new Map<string, InstanceFact>();
  for (const instance of facts.instances) {
    all.set(instance.id, instance);
    all.set(instance.name, instance);
  }
  return all;
}

/** Collects what a pass decides; keeps keys unique. */
function createCollector(input: ReconcileInput) {
  const actions = new Map<string, PlannedAction>();
  const waiting: Waiting[] = [];
  let wakeAtMs: number | undefined;
  function wakeAt(timeMs: number): void {
    if (timeMs > input.nowMs && (wakeAtMs === undefined || timeMs < wakeAtMs)) wakeAtMs = timeMs;
  }
  function wait(entry: Waiting): void {
    waiting.push(entry);
    if (entry.untilMs !== undefined) wakeAt(entry.untilMs);
  }
  function act(action: PlannedAction): void {
    if (input.busy.has(action.key) || actions.has(action.key)) return;
    const hold = input.held.get(action.key);
    if (hold !== undefined && (hold.final || hold.untilMs > input.nowMs)) {
      wait({
        service: action.service ?? "",
        ...(action.slot === undefined ? {} : { slot: action.slot }),
        reason: hold.reason,
        kind: hold.final ? "failed" : "backoff",
        ...(hold.final ? {} : { untilMs: hold.untilMs }),
      });
      return;
    }
    actions.set(action.key, action);
  }
  const finish = (): Reconciliation => ({ actions: [...actions.values()], waiting, wakeAtMs });
  return { act, wait, finish };
}

/** Prepares a pass over one scope. */
export function createPass(input: ReconcileInput): Pass {
  const observed = indexInstances(input.intent.scope, input.facts);
  let all: Map<string, InstanceFact> | undefined;
  return {
    ...input,
    ...createCollector(input),
    services: new Map(input.intent.services.map((service) => [service.name, service])),
    observed,
    networks: new Map(input.facts.networks.map((network) => [network.name, network])),
    blocks: new Map(),
    slotsOf: (service) => observed.get(service) ?? NO_SLOTS,
    memoryOf: (service) => input.memory.get(service) ?? EMPTY_SERVICE_MEMORY,
    hasImage: (reference) => input.facts.images.has(normalizeReference(reference)),
    findInstance: (idOrName) => (all ??= indexAll(input.facts)).get(idOrName),
  };
}

/** True for a container that Fairlead made, as opposed to one that it found. */
export function isOwn(instance: InstanceFact): boolean {
  return instance.labels[OWN_LABELS.scope] !== undefined;
}

/** The configuration a container counts as having: its label, or what it was adopted as. */
export function hashOf(instance: InstanceFact, memory: ServiceMemory): string | undefined {
  return memory.adopted[instance.id] ?? instance.hash;
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
