// SPDX-License-Identifier: Apache-2.0
// One service: its slots filled, kept, changed, and the surplus removed.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import {
  findBlock,
  findNamespaceFault,
  findNewerDependency,
  isBlockFinal,
} from "./dependencies.ts";
import { diagnose } from "./diagnosis.ts";
import { planHandover } from "./handover.ts";
import { planHeal, planStart } from "./heal.ts";
import { nameInstance, shortName } from "./naming.ts";
import { hashOf, isOwn, type Pass } from "./pass.ts";
import { findGap, type Gap } from "./resources.ts";
import { chooseWanted, createPace, findStopFirstReason, splitSlot } from "./rollout.ts";
import { actOn, type ServicePass } from "./service-pass.ts";

/** True, with the reason noted, when the service may not make or start an instance now. */
function isHeldBack(own: ServicePass, slot: number, first: boolean): boolean {
  const { pass, service } = own;
  const spec = own.wanted.spec;
  const block = findBlock(pass, spec, first);
  if (block !== undefined) {
    const kind = isBlockFinal(pass, spec) ? "failed" : "blocked";
    pass.wait({ service: service.name, slot, kind, reason: block });
    return true;
  }
  const gap = own.gap();
  if (gap === undefined) return false;
  pass.wait({
    service: service.name,
    slot,
    kind: gap.final ? "failed" : "blocked",
    reason: gap.reason,
  });
  return true;
}

function planCreate(own: ServicePass, slot: number): void {
  if (isHeldBack(own, slot, true)) return;
  const { pass, service } = own;
  actOn(own, {
    act: "instance.create",
    slot,
    object: nameInstance(pass.intent.scope, service, slot),
    title: `created ${shortName(service.name, slot)}`,
    trigger: {
      kind: "missing",
      detail: `there is no instance ${slot} of ${service.replicas}`,
      atMs: pass.nowMs,
    },
    rule: { text: `replicas: ${service.replicas}`, at: service.origins["replicas"] ?? service.at },
    inputs: { wanted: service.replicas, slot },
  });
}

/** Changes one slot from an outdated configuration: side by side where that is allowed, else in place. */
function planChange(
  own: ServicePass,
  slot: number,
  old: InstanceFact,
  trigger: Trigger,
  rule: Rule,
): void {
  const { pass, service } = own;
  if (isHeldBack(own, slot, false)) return;
  if (!own.pace.take()) {
    const reason = `${old.name} is changed after the others: ${own.pace.reason}`;
    pass.wait({ service: service.name, slot, kind: "updating", reason });
    return;
  }
  const stopFirst = findStopFirstReason(own.wanted.spec);
  const sideBySide = stopFirst === undefined && old.state === "running";
  const short = shortName(service.name, slot);
  actOn(own, {
    act: sideBySide ? "instance.create" : "instance.replace",
    slot,
    object: nameInstance(pass.intent.scope, service, slot),
    title: sideBySide ? `created the new ${short} beside the old` : `recreated ${short}`,
    instance: old,
    trigger,
    rule,
    inputs: {
      had: hashOf(old, own.memory)?.slice(0, 12) ?? "unknown",
      wanted: own.wanted.spec.hash.slice(0, 12),
    },
    notDone:
      sideBySide || old.state !== "running"
        ? []
        : [{ what: `start the new ${short} before the old one stops`, why: stopFirst ?? "" }],
  });
}

/** A person asked, or a limit of age is reached. */
function planRenewal(own: ServicePass, slot: number, instance: InstanceFact): boolean {
  const { pass, service, memory } = own;
  const { recreateRequestedAtMs = 0, restartRequestedAtMs = 0 } = memory;
  const ttlMs = own.wanted.spec.ttlMs;
  if (instance.createdAtMs < recreateRequestedAtMs) {
    const trigger: Trigger = {
      kind: "person",
      detail: "recreation was asked for",
      atMs: recreateRequestedAtMs,
    };
    planChange(own, slot, instance, trigger, { text: "up --recreate" });
    return true;
  }
  if (ttlMs !== undefined && pass.nowMs - instance.createdAtMs >= ttlMs) {
    const at = service.origins["labels.fairlead.ttl"] ?? service.at;
    const trigger: Trigger = {
      kind: "schedule",
      detail: "it reached its time to live",
      atMs: pass.nowMs,
    };
    planChange(own, slot, instance, trigger, { text: "fairlead.ttl", at });
    return true;
  }
  if (instance.state === "running" && instance.startedAtMs < restartRequestedAtMs) {
    if (!own.pace.take()) return true;
    actOn(own, {
      act: "instance.restart",
      slot,
      object: instance.name,
      title: `restarted ${shortName(service.name, slot)}`,
      instance,
      trigger: { kind: "person", detail: "a restart was asked for", atMs: restartRequestedAtMs },
      rule: { text: "fairlead restart" },
    });
    return true;
  }
  return false;
}

/** Follows what an instance hangs on: a shared namespace, a dependency with `restart: true`. */
function planFollow(own: ServicePass, slot: number, instance: InstanceFact): boolean {
  const { pass, service } = own;
  const fault = findNamespaceFault(pass, own.wanted.spec, instance);
  const short = shortName(service.name, slot);
  if (fault !== undefined) {
    const gone = fault.kind === "gone";
    actOn(own, {
      act: gone ? "instance.replace" : "instance.restart",
      slot,
      object: instance.name,
      title: `${gone ? "recreated" : "restarted"} ${short} to join the namespace again`,
      instance,
      trigger: { kind: "namespace", detail: fault.what, atMs: pass.nowMs },
      rule: {
        text: "network_mode, pid, ipc: shared",
        at: service.origins["network_mode"] ?? service.at,
      },
    });
    return true;
  }
  if (instance.state !== "running") return false;
  const dependency = findNewerDependency(pass, own.wanted.spec, instance);
  if (dependency === undefined) return false;
  actOn(own, {
    act: "instance.restart",
    slot,
    object: instance.name,
    title: `restarted ${short} after ${dependency}`,
    instance,
    trigger: { kind: "dependency", detail: `${dependency} was started again`, atMs: pass.nowMs },
    rule: {
      text: `depends_on ${dependency}: restart`,
      at: service.origins["depends_on"] ?? service.at,
    },
  });
  return true;
}

/** The slot has the wanted configuration: keep it alive. */
function planKeep(own: ServicePass, slot: number, instance: InstanceFact): void {
  const { pass, memory } = own;
  const { spec } = own.wanted;
  if (planFollow(own, slot, instance) || planRenewal(own, slot, instance)) return;
  const diagnosis = diagnose(instance, spec, memory, pass.facts);
  const patient = { pass, service: spec, slot, instance, memory };
  if (diagnosis.kind === "failed") planHeal(patient, diagnosis);
  else if (diagnosis.kind === "start") planStart(patient, diagnosis.trigger);
  else if (diagnosis.kind === "fine") planName(own, slot, instance);
}

/** After a change the new container bears a passing name; it gets the slot's own when that is free. */
function planName(own: ServicePass, slot: number, instance: InstanceFact): void {
  const name = nameInstance(own.pass.intent.scope, own.service, slot);
  const { pass } = own;
  if (instance.health === "starting") {
    pass.wait({
      service: own.service.name,
      slot,
      kind: "starting",
      reason: "waits for its health check",
    });
  }
  if (instance.name === name || !isOwn(instance) || pass.findInstance(name) !== undefined) return;
  actOn(own, {
    act: "instance.rename",
    slot,
    object: name,
    title: `renamed ${instance.name} to ${name}`,
    instance,
    trigger: { kind: "change", detail: "the name of the slot is free again", atMs: pass.nowMs },
    rule: { text: `replicas: ${own.service.replicas}`, at: own.service.at },
  });
}

function planAdopt(own: ServicePass, slot: number, instance: InstanceFact): void {
  actOn(own, {
    act: "instance.adopt",
    slot,
    object: instance.name,
    title: `adopted ${instance.name} as it is`,
    instance,
    trigger: {
      kind: "missing",
      detail: "it runs for this service and Fairlead did not make it",
      atMs: own.pass.nowMs,
    },
    rule: { text: `services: ${own.service.name}`, at: own.service.at },
    notDone: [{ what: `recreate ${instance.name}`, why: "adopting never recreates" }],
  });
}

function planSurplus(own: ServicePass, slot: number, instance: InstanceFact, detail: string): void {
  actOn(own, {
    act: "instance.remove",
    slot,
    object: instance.name,
    title: `removed ${instance.name}`,
    instance,
    trigger: { kind: "surplus", detail, atMs: own.pass.nowMs },
    rule: {
      text: `replicas: ${own.service.replicas}`,
      at: own.service.origins["replicas"] ?? own.service.at,
    },
  });
}

function planSlot(own: ServicePass, slot: number, instances: readonly InstanceFact[]): void {
  const { pass, service, memory, wanted } = own;
  if (pass.busy.has(`${service.name}/${slot}`)) return;
  const foreign = instances.find((i) => i.hash === undefined && memory.adopted[i.id] === undefined);
  if (foreign !== undefined) return planAdopt(own, slot, foreign);
  const { current, outdated } = splitSlot(instances, wanted, memory);
  const [fresh, twin] = current;
  const [old, older] = outdated;
  if (twin !== undefined) return planSurplus(own, slot, twin, "the slot has two instances");
  if (older !== undefined) return planSurplus(own, slot, older, "the slot has two old instances");
  if (fresh === undefined && old === undefined) {
    if (instances.length === 0) planCreate(own, slot);
    return;
  }
  if (fresh !== undefined && old !== undefined) return planHandover(own, slot, fresh, old);
  if (fresh !== undefined) return planKeep(own, slot, fresh);
  if (old !== undefined) {
    const trigger: Trigger = {
      kind: "change",
      detail: "its configuration was changed",
      atMs: pass.nowMs,
    };
    planChange(own, slot, old, trigger, { text: `services: ${service.name}`, at: service.at });
  }
}

/** Decides on every instance of one service. */
export function planService(pass: Pass, service: ServiceIntent): void {
  const memory = pass.memoryOf(service.name);
  if ((memory.pausedUntilMs ?? 0) > pass.nowMs) {
    const untilMs = memory.pausedUntilMs ?? 0;
    pass.wait({ service: service.name, kind: "paused", reason: "automation is paused", untilMs });
    return;
  }
  const wanted = chooseWanted(service, memory);
  let gap: { found: Gap | undefined } | undefined;
  const own: ServicePass = {
    pass,
    service,
    wanted,
    memory,
    pace: createPace(pass, wanted.spec, memory),
    gap: () => (gap ??= { found: findGap(pass, wanted.spec) }).found,
  };
  if (wanted.hold || wanted.spec !== service) {
    const reason = `the change failed: ${memory.rolloutFailed?.reason ?? ""}`;
    pass.wait({ service: service.name, kind: "failed", reason });
  }
  const slots = pass.slotsOf(service.name);
  for (let slot = 1; slot <= service.replicas; slot++) planSlot(own, slot, slots.get(slot) ?? []);
  for (const [slot, instances] of slots) {
    if (slot <= service.replicas) continue;
    const extra = instances.find((instance) => instance.state !== "removing");
    if (extra !== undefined) planSurplus(own, slot, extra, `${service.replicas} are wanted`);
  }
}
