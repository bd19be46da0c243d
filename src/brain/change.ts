// SPDX-License-Identifier: Apache-2.0
// A slot that is empty, or whose container has another configuration than the wanted one.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { findBlock, isBlockFinal } from "./dependencies.ts";
import { diagnose } from "./diagnosis.ts";
import { planHeal, planStart } from "./heal.ts";
import { describeImageChange } from "./image-change.ts";
import { nameInstance, shortName } from "./naming.ts";
import { hashOf } from "./pass.ts";
import { findGap } from "./resources.ts";
import { findRenewal, findStopFirstReason, specOf } from "./rollout.ts";
import { actOn, isPaced, waitFor, type ServicePass } from "./service-pass.ts";

/** True, with the reason noted, when the service may not make an instance now. */
function isHeldBack(own: ServicePass, slot: number, spec: ServiceIntent, first: boolean): boolean {
  const { pass } = own;
  // Looked for before the block: images are pulled while dependencies start.
  const gap = findGap(pass, spec);
  const block = findBlock(pass, spec, first);
  if (block !== undefined) {
    waitFor(own, slot, isBlockFinal(pass, spec) ? "failed" : "blocked", block);
    return true;
  }
  if (gap !== undefined) waitFor(own, slot, gap.final ? "failed" : "blocked", gap.reason);
  return gap !== undefined;
}

/** Fills an empty slot; while a failed change is on hold, with what ran before. */
export function planCreate(own: ServicePass, slot: number): void {
  const { pass, service, wanted } = own;
  const spec = wanted.hold ? (wanted.previous ?? wanted.spec) : wanted.spec;
  if (isHeldBack(own, slot, spec, true)) return;
  actOn(own, {
    act: "instance.create",
    slot,
    spec,
    object: nameInstance(pass.intent.scope, spec, slot),
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

function explainChange(own: ServicePass, old: InstanceFact): { trigger: Trigger; rule: Rule } {
  const { pass, service, wanted, memory } = own;
  const renewal =
    hashOf(old, memory) === wanted.spec.hash
      ? findRenewal(old, wanted.spec, memory, pass.nowMs)
      : undefined;
  if (renewal !== undefined) return renewal;
  const detail = wanted.back
    ? "the change of its configuration failed"
    : (describeImageChange(old, wanted.spec, memory, pass.facts) ??
      "its configuration was changed");
  return {
    trigger: { kind: "change", detail, atMs: pass.nowMs },
    rule: wanted.back
      ? { text: "update_config.failure_action rollback", at: service.update.at ?? service.at }
      : { text: `services: ${service.name}`, at: service.at },
  };
}

/**
 * Changes one slot: side by side where that is allowed, else in place. What is down need not wait for its turn, as long
 * as the new configuration is not known to fail.
 */
export function planChange(own: ServicePass, slot: number, old: InstanceFact): void {
  const { pass, service, wanted } = own;
  const serves = old.state === "running" || old.state === "paused" || old.state === "restarting";
  const later = `${old.name} is changed after the others`;
  if (
    isHeldBack(own, slot, wanted.spec, false) ||
    ((serves || own.pace.failing) && isPaced(own, slot, old, later))
  ) {
    keepOld(own, slot, old);
    return;
  }
  const stopFirst = findStopFirstReason(wanted.spec, old);
  const sideBySide = stopFirst === undefined && old.state === "running";
  const short = shortName(service.name, slot);
  actOn(own, {
    act: sideBySide ? "instance.create" : "instance.replace",
    slot,
    object: nameInstance(pass.intent.scope, wanted.spec, slot),
    title: sideBySide ? `created the new ${short} beside the old` : `recreated ${short}`,
    instance: old,
    ...explainChange(own, old),
    inputs: {
      had: hashOf(old, own.memory)?.slice(0, 12) ?? "unknown",
      wanted: wanted.spec.hash.slice(0, 12),
    },
    notDone:
      sideBySide || old.state !== "running"
        ? []
        : [{ what: `start the new ${short} before the old one stops`, why: stopFirst ?? "" }],
  });
}

/** An outdated instance is kept alive until its turn comes. */
function keepOld(own: ServicePass, slot: number, old: InstanceFact): void {
  const { pass, wanted, memory } = own;
  const service = specOf(wanted, old, memory);
  const diagnosis = diagnose(old, service, memory, pass.facts);
  const patient = { pass, service, slot, instance: old, memory, keep: true };
  if (diagnosis.kind === "failed") planHeal(patient, diagnosis);
  else if (diagnosis.kind === "start") planStart(patient, diagnosis.trigger);
}
