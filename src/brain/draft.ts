// SPDX-License-Identifier: Apache-2.0
// An engine's things while simulated acts change them; every look-up in constant time.
import type { Facts, InstanceFact } from "#model/facts.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { sharedServices } from "./dependencies.ts";
import type { Places } from "./namespaces.ts";
import type { ReconcileInput } from "./pass.ts";
import { compareInstances } from "./rank.ts";

export interface Draft extends Places {
  readonly input: ReconcileInput;
  /** Services that others wait for to complete. */
  readonly awaited: ReadonlySet<string>;
  readonly networks: Map<string, Facts["networks"][number]>;
  readonly volumes: Map<string, Facts["volumes"][number]>;
  readonly images: Set<string>;
  readonly memory: Map<string, ServiceMemory>;
  serial: number;
  get(id: string | undefined): InstanceFact | undefined;
  put(instance: InstanceFact): void;
  remove(id: string): void;
  list(): readonly InstanceFact[];
  remember(service: string, change: (memory: ServiceMemory) => ServiceMemory): void;
}

/** Copies what `input` observed. */
export function createDraft(input: ReconcileInput, serial: number): Draft {
  const { facts, intent } = input;
  const instances = new Map(facts.instances.map((instance) => [instance.id, instance]));
  const names = new Map(facts.instances.map((instance) => [instance.name, instance.id]));
  const memory = new Map(input.memory);
  const shared = new Set(intent.services.flatMap(sharedServices));
  const isShared = (one: InstanceFact): boolean =>
    one.scope === intent.scope && !one.oneoff && shared.has(one.service);
  const holders = new Map<string, Map<number, InstanceFact[]>>();

  function forget(id: string): void {
    const instance = instances.get(id);
    if (instance === undefined) return;
    instances.delete(id);
    if (names.get(instance.name) === id) names.delete(instance.name);
    if (!isShared(instance)) return;
    const slots = holders.get(instance.service);
    const rest = (slots?.get(instance.slot) ?? []).filter((one) => one.id !== id);
    if (rest.length === 0) slots?.delete(instance.slot);
    else slots?.set(instance.slot, rest);
  }
  function hold(instance: InstanceFact): void {
    if (!isShared(instance)) return;
    let slots = holders.get(instance.service);
    if (slots === undefined) holders.set(instance.service, (slots = new Map()));
    const others = slots.get(instance.slot) ?? [];
    slots.set(instance.slot, [...others, instance].sort(compareInstances));
  }
  if (shared.size > 0) for (const instance of facts.instances) hold(instance);

  const dependencies = intent.services.flatMap((service) => service.dependsOn);
  const completing = dependencies.filter(({ condition }) => condition === "completed");
  return {
    input,
    awaited: new Set(completing.map(({ service }) => service)),
    networks: new Map(facts.networks.map((network) => [network.name, network])),
    volumes: new Map(facts.volumes.map((volume) => [volume.name, volume])),
    images: new Set(facts.images),
    memory,
    serial,
    get: (id) => (id === undefined ? undefined : instances.get(id)),
    put(instance) {
      forget(instance.id);
      instances.set(instance.id, instance);
      names.set(instance.name, instance.id);
      hold(instance);
    },
    remove: forget,
    list: () => [...instances.values()],
    remember(service, change) {
      memory.set(service, change(memory.get(service) ?? EMPTY_SERVICE_MEMORY));
    },
    slotsOf: (service) => holders.get(service) ?? new Map<number, InstanceFact[]>(),
    findInstance: (idOrName) => instances.get(names.get(idOrName) ?? idOrName),
  };
}
