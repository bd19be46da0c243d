// SPDX-License-Identifier: Apache-2.0
// Where a pass looks things up, each look-up in constant time: built once from the facts, so that the cost of a pass
// stays linear in instances, or kept up to date while a plan runs ahead.
import type { Facts, InstanceFact, NetworkFact } from "#model/facts.ts";
import type { Intent, NetworkIntent, ServiceIntent, VolumeIntent } from "#model/intent.ts";
import { compareInstances } from "./rank.ts";

/** Slot number to containers of that slot, the best first. */
export type Slots = ReadonlyMap<number, readonly InstanceFact[]>;

/** The same while it is built. */
export type OpenSlots = Map<number, readonly InstanceFact[]>;

const NO_SLOTS: Slots = new Map();

/** The intent by name and by key, and what is observed of its scope. */
export interface Ground {
  readonly services: ReadonlyMap<string, ServiceIntent>;
  readonly networkIntents: ReadonlyMap<string, NetworkIntent>;
  readonly volumeIntents: ReadonlyMap<string, VolumeIntent>;
  /** Service to its containers in this scope, one-offs left out; services may be there that the intent lacks. */
  readonly observed: ReadonlyMap<string, Slots>;
  /** By name. */
  readonly networks: ReadonlyMap<string, NetworkFact>;
  /** By name. */
  readonly volumes: { has(name: string): boolean };
  slotsOf(service: string): Slots;
  /** Every container of the engine by id and by name, also of other scopes. */
  findInstance(idOrName: string): InstanceFact | undefined;
}

/** True for what may fill a slot of a service of `scope`. */
export function fillsSlot(instance: InstanceFact, scope: string): boolean {
  return instance.scope === scope && !instance.oneoff && instance.service !== "";
}

/** The containers of `scope` by service and slot, the best of a slot first. */
export function indexInstances(
  scope: string,
  instances: readonly InstanceFact[],
): Map<string, OpenSlots> {
  const observed = new Map<string, Map<number, InstanceFact[]>>();
  const crowded = new Set<InstanceFact[]>();
  for (const instance of instances) {
    if (!fillsSlot(instance, scope)) continue;
    let slots = observed.get(instance.service);
    if (slots === undefined) observed.set(instance.service, (slots = new Map()));
    const slot = slots.get(instance.slot);
    if (slot === undefined) slots.set(instance.slot, [instance]);
    else {
      slot.push(instance);
      crowded.add(slot);
    }
  }
  for (const slot of crowded) slot.sort(compareInstances);
  return observed;
}

function indexAll(facts: Facts): Map<string, InstanceFact> {
  const all = new Map<string, InstanceFact>();
  for (const instance of facts.instances) all.set(instance.name, instance);
  for (const instance of facts.instances) all.set(instance.id, instance);
  return all;
}

/** Networks by name. An engine can have several of one name: always the same one is meant. */
export function indexNetworks(facts: Facts): Map<string, NetworkFact> {
  const networks = new Map<string, NetworkFact>();
  for (const network of facts.networks) {
    const other = networks.get(network.name);
    if (other === undefined || network.id < other.id) networks.set(network.name, network);
  }
  return networks;
}

/** The parts of a ground that follow from the intent alone. */
export function indexIntent(
  intent: Intent,
): Pick<Ground, "services" | "networkIntents" | "volumeIntents"> {
  return {
    services: new Map(intent.services.map((service) => [service.name, service])),
    networkIntents: new Map(intent.networks.map((network) => [network.key, network])),
    volumeIntents: new Map(intent.volumes.map((volume) => [volume.key, volume])),
  };
}

/** The ground of facts that do not change. */
export function createGround(intent: Intent, facts: Facts): Ground {
  const observed = indexInstances(intent.scope, facts.instances);
  let all: Map<string, InstanceFact> | undefined;
  return {
    ...indexIntent(intent),
    observed,
    networks: indexNetworks(facts),
    volumes: new Set(facts.volumes.map((volume) => volume.name)),
    slotsOf: (service) => observed.get(service) ?? NO_SLOTS,
    findInstance: (idOrName) => (all ??= indexAll(facts)).get(idOrName),
  };
}
