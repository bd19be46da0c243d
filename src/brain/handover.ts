// SPDX-License-Identifier: Apache-2.0
// The middle of a change: the old and the new container of one slot are both there.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import { diagnose } from "./diagnosis.ts";
import { planHeal } from "./heal.ts";
import { shortName } from "./naming.ts";
import { isReady } from "./pass.ts";
import { findStopFirstReason } from "./rollout.ts";
import { actOn, type ServicePass } from "./service-pass.ts";

/** A first failure or two may be a dependency that was slow; more than that is the new configuration. */
const ROLLOUT_TRIES = 2;

/** Both the old and the new one are there: go on, finish, or give the change up. */
export function planHandover(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  old: InstanceFact,
): void {
  const { pass, service } = own;
  const { spec } = own.wanted;
  const rule: Rule = {
    text: `update ${findStopFirstReason(spec) === undefined ? "start-first" : "stop-first"}`,
    at: spec.update.at ?? service.at,
  };
  const short = shortName(service.name, slot);
  if (
    isReady(fresh, spec.update.monitorMs, pass.nowMs) ||
    (old.state !== "running" && fresh.state === "running")
  ) {
    const detail = `the new ${short} is ${fresh.health === "healthy" ? "healthy" : "up"}`;
    const trigger: Trigger = { kind: "change", detail, atMs: pass.nowMs };
    actOn(own, {
      act: "instance.remove",
      slot,
      object: old.name,
      title: `removed the old ${short}`,
      trigger,
      rule,
      instance: old,
      successor: fresh,
    });
    return;
  }
  const diagnosis = diagnose(fresh, spec, own.memory, pass.facts);
  if (diagnosis.kind === "start") {
    const stopFirst = findStopFirstReason(spec) !== undefined;
    const title = stopFirst ? `recreated ${short}` : `started the new ${short}`;
    const parts = { slot, object: fresh.name, title, trigger: diagnosis.trigger, rule };
    if (stopFirst)
      actOn(own, { ...parts, act: "instance.replace", instance: old, successor: fresh });
    else actOn(own, { ...parts, act: "instance.start", instance: fresh });
    return;
  }
  if (diagnosis.kind === "failed" || diagnosis.kind === "rests") {
    planFailedChange(own, slot, fresh, old, diagnosis);
    return;
  }
  const untilMs = fresh.health === "none" ? fresh.startedAtMs + spec.update.monitorMs : undefined;
  const reason =
    fresh.health === "starting"
      ? `waits for the new ${short} to be healthy`
      : `watches the new ${short} before the old one goes`;
  pass.wait({
    service: service.name,
    slot,
    kind: "updating",
    reason,
    ...(untilMs === undefined ? {} : { untilMs }),
  });
}

type Ended = Extract<ReturnType<typeof diagnose>, { kind: "failed" | "rests" }>;

function planFailedChange(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  old: InstanceFact,
  ended: Ended,
): void {
  const { pass, service, memory } = own;
  const { spec } = own.wanted;
  const short = shortName(service.name, slot);
  const detail = ended.kind === "failed" ? ended.trigger.detail : ended.reason;
  const tries = memory.slots[String(slot)]?.consecutive ?? 0;
  const retry =
    ended.kind === "failed" && ended.trigger.kind !== "unhealthy" && tries < ROLLOUT_TRIES;
  if ((retry || spec.update.onFailure === "continue") && ended.kind === "failed") {
    planHeal({ pass, service: spec, slot, instance: fresh, memory }, ended);
    return;
  }
  if (ended.kind === "rests" && ended.completed) {
    const trigger: Trigger = { kind: "change", detail, atMs: pass.nowMs };
    actOn(own, {
      act: "instance.remove",
      slot,
      object: old.name,
      title: `removed the old ${short}`,
      trigger,
      rule: { text: `restart: ${spec.restart.policy}`, at: service.at },
      instance: old,
      successor: fresh,
    });
    return;
  }
  const rollback = spec.update.onFailure === "rollback" && memory.previous !== undefined;
  actOn(own, {
    act: rollback ? "service.rollback" : "service.pauseRollout",
    slot,
    object: fresh.name,
    title: rollback ? `rolled ${service.name} back` : `stopped the change of ${service.name}`,
    trigger: { kind: "exit", detail: `the new ${short} ${detail}`, atMs: pass.nowMs },
    rule: {
      text: `update_config.failure_action ${spec.update.onFailure}`,
      at: spec.update.at ?? service.at,
    },
    instance: fresh,
    inputs: { tries, failed: spec.hash.slice(0, 12) },
    notDone: [{ what: `remove the old ${short}`, why: "it runs and the new one does not" }],
  });
}
