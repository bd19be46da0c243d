// SPDX-License-Identifier: Apache-2.0
// `down`: everything that Fairlead made for a scope goes, dependants first; what it only found stays.
import type { Reconciliation } from "#model/action.ts";
import type { Rule, Trigger } from "#model/decision.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { InstanceFact } from "#model/facts.ts";
import { listDependencies } from "./dependencies.ts";
import type { Ground } from "./ground.ts";
import { createPass, isOwn, listObserved, type Pass, type ReconcileInput } from "./pass.ts";
import { removeInstance } from "./remove-instance.ts";

const DOWN: Rule = { text: "fairlead down" };
const PLACED: Rule = { text: "placement" };
/** So much of a name that the engine made up is told. */
const ID_LENGTH = 12;

/** How a scope goes. */
export interface Removal {
  /** Whether the data of its volumes goes too. */
  readonly volumes: boolean;
  /** Why, when it is not that somebody asked for it: it stands on other nodes. */
  readonly because?: string;
}

interface Leaving {
  readonly service: string;
  readonly slot: number;
  readonly instance: InstanceFact;
}

/** One container of each slot that has any of Fairlead's; those that the engine is removing come last. */
function listLeaving(pass: Pass): readonly Leaving[] {
  const leaving: Leaving[] = [];
  for (const { service, slot, instances } of listObserved(pass, () => true)) {
    const instance = instances.find(isOwn);
    if (instance !== undefined) leaving.push({ service, slot, instance });
  }
  return leaving;
}

/** Service to one of those that have to go before it. */
function findDependants(pass: Pass, leaving: readonly Leaving[]): ReadonlyMap<string, string> {
  const there = new Set(leaving.map(({ service }) => service));
  const dependants = new Map<string, string>();
  for (const service of pass.intent.services) {
    if (!there.has(service.name)) continue;
    for (const dependency of listDependencies(service)) {
      if (dependency.service !== service.name && !dependants.has(dependency.service))
        dependants.set(dependency.service, service.name);
    }
  }
  // Those that wait for each other in a circle would stay for ever.
  return [...there].every((service) => dependants.has(service)) ? new Map() : dependants;
}

function planInstances(pass: Pass, trigger: Trigger, volumes: boolean): number {
  const leaving = listLeaving(pass);
  const dependants = findDependants(pass, leaving);
  for (const { service, slot, instance } of leaving) {
    const dependant = dependants.get(service);
    if (dependant !== undefined) {
      pass.wait({ service, slot, kind: "blocked", reason: `is removed after ${dependant}` });
      continue;
    }
    if (instance.state === "removing") {
      pass.wait({ service, slot, kind: "blocked", reason: "is being removed by the engine" });
      continue;
    }
    removeInstance(pass, {
      service,
      slot,
      instance,
      trigger,
      rule: trigger.kind === "person" ? DOWN : PLACED,
      inputs: { state: instance.state, volumes },
      leaves: volumes ? instance.anonymousVolumes.map(({ name }) => name) : [],
    });
  }
  return leaving.length;
}

function planNetworks(pass: Pass, trigger: Trigger): void {
  for (const network of pass.facts.networks) {
    if (network.labels[OWN_LABELS.scope] !== pass.intent.scope) continue;
    const title = `removed network ${network.name}`;
    const key = `network/${network.labels[OWN_LABELS.key] ?? network.name}`;
    const parts = {
      object: network.name,
      target: network.id,
      title,
      trigger,
      rule: trigger.kind === "person" ? DOWN : PLACED,
    };
    pass.act({ key, act: "network.remove", ...parts, inputs: {}, notDone: [] });
  }
}

function planVolumes(pass: Pass, trigger: Trigger): void {
  for (const volume of pass.facts.volumes) {
    if (volume.labels[OWN_LABELS.scope] !== pass.intent.scope) continue;
    const title = `removed volume ${volume.name}`;
    const key = `volume/${volume.labels[OWN_LABELS.key] ?? volume.name}`;
    const parts = {
      object: volume.name,
      target: volume.name,
      title,
      trigger,
      rule: trigger.kind === "person" ? DOWN : PLACED,
    };
    pass.act({ key, act: "volume.remove", ...parts, inputs: {}, notDone: [] });
  }
}

/**
 * Volumes that nobody named bear no label: which of them the removed containers had is known from the memory. One that a
 * container has that stays is not touched.
 */
function planLeftVolumes(pass: Pass, trigger: Trigger): void {
  const kept = new Set(
    pass.facts.instances.flatMap((one) => one.anonymousVolumes.map(({ name }) => name)),
  );
  for (const [service, { leavingVolumes = [] }] of pass.memory) {
    for (const name of leavingVolumes) {
      if (kept.has(name) || !pass.volumes.has(name)) continue;
      pass.act({
        key: `volume/${name}`,
        act: "volume.remove",
        service,
        object: name,
        target: name,
        title: `removed volume ${name.slice(0, ID_LENGTH)}, which ${service} had without a name`,
        trigger,
        rule: DOWN,
        inputs: {},
        notDone: [],
      });
    }
  }
}

/** One pass of a removal. Nothing decided and nothing awaited means that it is done. */
export function planRemoval(
  input: ReconcileInput,
  options: Removal,
  ground?: Ground,
): Reconciliation {
  const pass = createPass(input, ground);
  const { because } = options;
  const trigger: Trigger =
    because === undefined
      ? { kind: "person", detail: "down was asked for", atMs: input.nowMs }
      : { kind: "members", detail: because, atMs: input.nowMs };
  if (planInstances(pass, trigger, options.volumes) === 0) {
    planNetworks(pass, trigger);
    if (options.volumes) {
      planVolumes(pass, trigger);
      planLeftVolumes(pass, trigger);
    }
  }
  return pass.take();
}
