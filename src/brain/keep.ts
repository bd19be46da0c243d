// SPDX-License-Identifier: Apache-2.0
// A slot that has what is wanted: kept alive, joined to what it hangs on, restarted when a person asks.
import type { InstanceFact } from "#model/facts.ts";
import { findNewerDependency } from "./dependencies.ts";
import { diagnose, GOOD_RUN_MS, type Diagnosis } from "./diagnosis.ts";
import { planGiveUp } from "./handover.ts";
import { planHeal, planStart } from "./heal.ts";
import { findNamespaceFault } from "./namespaces.ts";
import { nameInstance, shortName } from "./naming.ts";
import { isOwn } from "./pass.ts";
import { isToRestart } from "./request.ts";
import { specOf } from "./rollout.ts";
import { actOn, isPaced, waitFor, type ServicePass } from "./service-pass.ts";

const NS_PER_MS = 1e6;
/** What the engine takes when a health check leaves it out. */
const HEALTH_INTERVAL_MS = 30_000;
const HEALTH_RETRIES = 3;

/** The slot has the wanted configuration: keep it alive. */
export function planKeep(own: ServicePass, slot: number, instance: InstanceFact): void {
  const { pass, memory } = own;
  const service = specOf(own.wanted, instance, memory);
  const diagnosis = diagnose(instance, service, memory, pass.facts);
  if (planRest(own, slot, instance)) return;
  const { ttlMs } = own.wanted.spec;
  if (ttlMs !== undefined) pass.wakeAt(instance.createdAtMs + ttlMs);
  if (diagnosis.kind !== "rests" && planFollow(own, slot, instance)) return;
  if (planRestart(own, slot, instance, diagnosis)) return;
  const patient = { pass, service, slot, instance, memory };
  switch (diagnosis.kind) {
    case "failed":
      if (!planTakeBack(own, slot, instance, diagnosis)) planHeal(patient, diagnosis);
      return;
    case "start":
      // A start that the engine refuses is a failure: the ladder ends with another container.
      if (pass.held.has(`${service.name}/${slot}`))
        planHeal(patient, { kind: "failed", trigger: diagnosis.trigger, runMs: 0 });
      else planStart(patient, diagnosis.trigger);
      return;
    case "fine":
      planName(own, slot, instance);
      return;
    case "rests":
  }
}

/** Follows what an instance hangs on: a shared namespace, a dependency with `restart: true`. */
function planFollow(own: ServicePass, slot: number, instance: InstanceFact): boolean {
  const { pass, service, wanted, memory } = own;
  const spec = specOf(wanted, instance, memory);
  const fault = findNamespaceFault(pass, spec, instance);
  const short = shortName(service.name, slot);
  if (fault !== undefined) {
    const gone = fault.kind === "gone";
    actOn(own, {
      act: gone ? "instance.replace" : "instance.restart",
      slot,
      spec,
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
  const dependency = findNewerDependency(pass, spec, instance);
  if (dependency === undefined) return false;
  actOn(own, {
    act: "instance.restart",
    slot,
    spec,
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

/** An agent asked for a stop. */
function planRest(own: ServicePass, slot: number, instance: InstanceFact): boolean {
  const rest = own.memory.resting?.[String(slot)];
  if (rest === undefined) return false;
  if (instance.state !== "running" && instance.state !== "paused") return false;
  actOn(own, {
    act: "instance.stop",
    slot,
    object: instance.name,
    title: `stopped ${shortName(own.service.name, slot)}`,
    instance,
    trigger: { kind: "agent", detail: `${rest.by} asked for it`, atMs: rest.atMs },
    rule: { text: "an agent may stop its own containers" },
  });
  return true;
}

/** A person or an agent asked for a restart: what runs is restarted at the pace of a change, what rests is started. */
function planRestart(
  own: ServicePass,
  slot: number,
  instance: InstanceFact,
  diagnosis: Diagnosis,
): boolean {
  const { restartRequested } = own.memory;
  if (restartRequested === undefined || !isToRestart(restartRequested, instance)) return false;
  const runs = instance.state === "running";
  const { by } = restartRequested;
  if (!runs && diagnosis.kind !== "rests" && by === undefined) return false;
  if (
    runs &&
    by === undefined &&
    isPaced(own, slot, instance, `${instance.name} is restarted after the others`)
  )
    return true;
  const short = shortName(own.service.name, slot);
  actOn(own, {
    act: runs ? "instance.restart" : "instance.start",
    slot,
    object: instance.name,
    title: `${runs ? "restarted" : "started"} ${short}`,
    instance,
    trigger:
      by === undefined
        ? { kind: "person", detail: "a restart was asked for", atMs: restartRequested.atMs }
        : { kind: "agent", detail: `${by} asked for it`, atMs: restartRequested.atMs },
    rule: {
      text: by === undefined ? "fairlead restart" : "an agent may start its own containers",
    },
  });
  return true;
}

/** How long after its making a failure of an instance is still a failure of the change. */
function computeProbation(own: ServicePass): number {
  const { update, container } = own.wanted.spec;
  const check = container.Healthcheck;
  if (check === undefined || check.Test?.[0] === "NONE") return update.monitorMs + GOOD_RUN_MS;
  const everyMs =
    (check.Interval ?? 0) / NS_PER_MS + (check.Timeout ?? 0) / NS_PER_MS || HEALTH_INTERVAL_MS;
  const checksMs = everyMs * ((check.Retries ?? HEALTH_RETRIES) + 1);
  return update.monitorMs + GOOD_RUN_MS + (check.StartPeriod ?? 0) / NS_PER_MS + checksMs;
}

/** Takes a change back when the new instance does not come up and the old one is gone already. */
function planTakeBack(
  own: ServicePass,
  slot: number,
  instance: InstanceFact,
  failed: Extract<Diagnosis, { kind: "failed" }>,
): boolean {
  const { wanted } = own;
  const { spec } = wanted;
  if (wanted.hold || wanted.back || wanted.previous === undefined) return false;
  if (spec.update.onFailure !== "rollback") return false;
  // Made again by the ladder or because it was missing: the change it once came with was over.
  if (own.memory.slots[String(slot)]?.changed !== true) return false;
  if (failed.trigger.atMs - instance.createdAtMs > computeProbation(own)) return false;
  return planGiveUp(own, slot, instance, failed);
}

/** After a change the new container bears a passing name; it gets the slot's own when that is free. */
function planName(own: ServicePass, slot: number, instance: InstanceFact): void {
  const { pass, service } = own;
  const name = nameInstance(pass.intent.scope, service, slot);
  if (instance.state === "running" && instance.health === "starting")
    waitFor(own, slot, "starting", "waits for its health check");
  if (instance.name === name || !isOwn(instance) || pass.findInstance(name) !== undefined) return;
  actOn(own, {
    act: "instance.rename",
    slot,
    object: name,
    title: `renamed ${instance.name} to ${name}`,
    instance,
    trigger: { kind: "change", detail: "the name of the slot is free again", atMs: pass.nowMs },
    rule: { text: `replicas: ${service.replicas}`, at: service.at },
  });
}
