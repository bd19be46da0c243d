// SPDX-License-Identifier: Apache-2.0
// `down`: everything that Fairlead made for a scope goes, dependants first; what it only found stays.
import type { Reconciliation } from "#model/action.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { Rule, Trigger } from "#model/decision.ts";
import { listDependencies } from "./dependencies.ts";
import { createPass, isOwn, type Pass, type ReconcileInput } from "./pass.ts";

const RULE: Rule = { text: "fairlead down" };

function hasOwnInstances(pass: Pass, service: string): boolean {
  for (const instances of pass.slotsOf(service).values()) {
    if (instances.some(isOwn)) return true;
  }
  return false;
}

function findDependant(pass: Pass, service: string): string | undefined {
  return pass.intent.services.find(
    (other) =>
      other.name !== service &&
      listDependencies(other).some((dependency) => dependency.service === service) &&
      hasOwnInstances(pass, other.name),
  )?.name;
}

function planInstances(pass: Pass, trigger: Trigger): number {
  let left = 0;
  for (const [service, slots] of pass.observed) {
    const dependant = findDependant(pass, service);
    const intent = pass.services.get(service);
    for (const [slot, instances] of slots) {
      const instance = instances.find(isOwn);
      if (instance === undefined) continue;
      left++;
      if (dependant !== undefined) {
        pass.wait({ service, slot, kind: "blocked", reason: `is removed after ${dependant}` });
        continue;
      }
      pass.act({
        key: `${service}/${slot}`,
        act: "instance.remove",
        service,
        slot,
        object: instance.name,
        target: instance.id,
        ...(intent === undefined ? {} : { spec: intent }),
        title: `removed ${instance.name}`,
        trigger,
        rule: RULE,
        inputs: { state: instance.state },
        notDone: [],
      });
    }
  }
  return left;
}

function planNetworks(pass: Pass, trigger: Trigger): void {
  for (const network of pass.facts.networks) {
    if (network.labels[OWN_LABELS.scope] !== pass.intent.scope) continue;
    const title = `removed network ${network.name}`;
    const key = `network/${network.labels[OWN_LABELS.key] ?? network.name}`;
    const parts = { object: network.name, target: network.id, title, trigger, rule: RULE };
    pass.act({ key, act: "network.remove", ...parts, inputs: {}, notDone: [] });
  }
}

function planVolumes(pass: Pass, trigger: Trigger): void {
  for (const volume of pass.facts.volumes) {
    if (volume.labels[OWN_LABELS.scope] !== pass.intent.scope) continue;
    const title = `removed volume ${volume.name}`;
    const key = `volume/${volume.labels[OWN_LABELS.key] ?? volume.name}`;
    const parts = { object: volume.name, target: volume.name, title, trigger, rule: RULE };
    pass.act({ key, act: "volume.remove", ...parts, inputs: {}, notDone: [] });
  }
}

/** One pass of a removal. Nothing decided and nothing awaited means that it is done. */
export function planRemoval(input: ReconcileInput, options: { volumes: boolean }): Reconciliation {
  const pass = createPass(input);
  const trigger: Trigger = { kind: "person", detail: "down was asked for", atMs: input.nowMs };
  if (planInstances(pass, trigger) === 0) {
    planNetworks(pass, trigger);
    if (options.volumes) planVolumes(pass, trigger);
  }
  return pass.finish();
}
