// SPDX-License-Identifier: Apache-2.0
// An engine's things while simulated acts change them; every look-up and every change in constant time.
import type { Facts, InstanceFact, NetworkFact, VolumeFact } from "#model/facts.ts";
import type { Intent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { fillsSlot, indexInstances, indexIntent, indexNetworks, type Ground } from "./ground.ts";
import type { ReconcileInput } from "./pass.ts";
import { compareInstances } from "./rank.ts";

/** The ground of a plan: what acts have changed is seen by the next look. */
export interface Draft extends Ground {
  readonly intent: Intent;
  /** Milliseconds since 1970; whoever runs the plan moves it. */
  nowMs: number;
  /** How many containers were made so far: names the next one. */
  serial: number;
  /** Services that others wait for to complete. */
  readonly awaited: ReadonlySet<string>;
  readonly networks: Map<string, NetworkFact>;
  readonly volumes: Map<string, VolumeFact>;
  readonly images: Map<string, string>;
  readonly memory: Map<string, ServiceMemory>;
  /** What is there now; lists are made when they are read. */
  readFacts(): Facts;
  get(id: string | undefined): InstanceFact | undefined;
  put(instance: InstanceFact): void;
  remove(id: string): void;
  remember(service: string, change: (memory: ServiceMemory) => ServiceMemory): void;
  /** Containers that were put or removed since the last call, as they were and as they are. */
  takeTouched(): readonly InstanceFact[];
}

function listAwaited(intent: Intent): ReadonlySet<string> {
  const dependencies = intent.services.flatMap((service) => service.dependsOn);
  const completing = dependencies.filter(({ condition }) => condition === "completed");
  return new Set(completing.map(({ service }) => service));
}

/** Containers by id, by name, and by service and slot. */
function createShelf(scope: string, first: readonly InstanceFact[]) {
  const instances = new Map(first.map((instance) => [instance.id, instance]));
  const names = new Map(first.map((instance) => [instance.name, instance.id]));
  const observed = indexInstances(scope, first);
  let touched: InstanceFact[] = [];

  function remove(id: string): void {
    const instance = instances.get(id);
    if (instance === undefined) return;
    touched.push(instance);
    instances.delete(id);
    if (names.get(instance.name) === id) names.delete(instance.name);
    const slots = observed.get(instance.service);
    const rest = (slots?.get(instance.slot) ?? []).filter((one) => one.id !== id);
    if (rest.length === 0) slots?.delete(instance.slot);
    else slots?.set(instance.slot, rest);
  }
  function put(instance: InstanceFact): void {
    remove(instance.id);
    touched.push(instance);
    instances.set(instance.id, instance);
    names.set(instance.name, instance.id);
    if (!fillsSlot(instance, scope)) return;
    const slots = observed.get(instance.service) ?? new Map<number, readonly InstanceFact[]>();
    observed.set(instance.service, slots);
    const others = slots.get(instance.slot) ?? [];
    slots.set(instance.slot, [...others, instance].sort(compareInstances));
  }
  function takeTouched(): readonly InstanceFact[] {
    const taken = touched;
    touched = [];
    return taken;
  }
  const get = (id: string | undefined): InstanceFact | undefined =>
    id === undefined ? undefined : instances.get(id);
  return { instances, names, observed, get, put, remove, takeTouched };
}

/** Copies what `input` observed. */
export function createDraft(input: ReconcileInput, serial: number): Draft {
  const { facts, intent } = input;
  const { instances, names, observed, ...shelf } = createShelf(intent.scope, facts.instances);
  const networks = indexNetworks(facts);
  const volumes = new Map(facts.volumes.map((volume) => [volume.name, volume]));
  const images = new Map(facts.images);
  const memory = new Map(input.memory);
  const draft: Draft = {
    ...shelf,
    ...indexIntent(intent),
    intent,
    nowMs: input.nowMs,
    serial,
    awaited: listAwaited(intent),
    observed,
    networks,
    volumes,
    images,
    memory,
    readFacts: () => ({
      asOfMs: draft.nowMs,
      engineGap: facts.engineGap,
      node: facts.node,
      get instances() {
        return [...instances.values()];
      },
      get networks() {
        return [...networks.values()];
      },
      get volumes() {
        return [...volumes.values()];
      },
      images,
    }),
    remember(service, change) {
      memory.set(service, change(memory.get(service) ?? EMPTY_SERVICE_MEMORY));
    },
    slotsOf: (service) => observed.get(service) ?? new Map(),
    findInstance: (idOrName) => instances.get(names.get(idOrName) ?? idOrName),
  };
  return draft;
}
