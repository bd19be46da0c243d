// SPDX-License-Identifier: Apache-2.0
// The middle of a change: the old and the new container of one slot are both there.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import { EMPTY_SLOT_MEMORY } from "#model/memory.ts";
import { diagnose, type Diagnosis } from "./diagnosis.ts";
import { planHeal, readBudget } from "./heal.ts";
import { shortName } from "./naming.ts";
import { isReady } from "./pass.ts";
import { findStopFirstReason } from "./rollout.ts";
import { actOn, waitFor, type ServicePass } from "./service-pass.ts";

/** A first failure or two may be a dependency that was slow; more than that is the new configuration. */
const ROLLOUT_TRIES = 2;

type Failed = Extract<Diagnosis, { kind: "failed" }>;
type Ended = Extract<Diagnosis, { kind: "failed" | "rests" }>;

/** Both the old and the new one are there: go on, finish, or give the change up. */
export function planHandover(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  old: InstanceFact,
): void {
  const { pass, service } = own;
  const { spec } = own.wanted;
  const short = shortName(service.name, slot);
  const stopFirst = findStopFirstReason(spec, old) !== undefined;
  const at = spec.update.at ?? service.at;
  const rule: Rule = { text: `update ${stopFirst ? "stop-first" : "start-first"}`, at };
  const down = old.state !== "running" && fresh.state === "running";
  if (down || isReady(fresh, spec.update.monitorMs, pass.nowMs)) {
    const detail = `the new ${short} is ${fresh.health === "healthy" ? "healthy" : "up"}`;
    planFinish(own, slot, fresh, old, detail, rule);
    return;
  }
  const diagnosis = diagnose(fresh, spec, own.memory, pass.facts);
  switch (diagnosis.kind) {
    case "start": {
      const title = stopFirst ? `recreated ${short}` : `started the new ${short}`;
      const parts = { slot, object: fresh.name, title, trigger: diagnosis.trigger, rule };
      if (stopFirst)
        actOn(own, { ...parts, act: "instance.replace", instance: old, successor: fresh });
      else actOn(own, { ...parts, act: "instance.start", instance: fresh });
      return;
    }
    case "failed":
      planFailedChange(own, slot, fresh, old, diagnosis);
      return;
    case "rests":
      if (diagnosis.completed || own.wanted.back || spec.update.onFailure === "continue") {
        const text = `restart: ${spec.restart.policy}`;
        planFinish(own, slot, fresh, old, diagnosis.reason, { text, at: service.at });
      } else planStop(own, slot, fresh, diagnosis);
      return;
    case "fine":
      planWatch(own, slot, fresh);
  }
}

function planFinish(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  old: InstanceFact,
  detail: string,
  rule: Rule,
): void {
  const trigger: Trigger = { kind: "change", detail, atMs: own.pass.nowMs };
  actOn(own, {
    act: "instance.remove",
    slot,
    object: old.name,
    title: `removed the old ${shortName(own.service.name, slot)}`,
    trigger,
    rule,
    instance: old,
    successor: fresh,
  });
}

function planWatch(own: ServicePass, slot: number, fresh: InstanceFact): void {
  const short = shortName(own.service.name, slot);
  const { monitorMs } = own.wanted.spec.update;
  const timed = fresh.health === "none" && fresh.state === "running";
  const reason =
    fresh.health === "starting"
      ? `waits for the new ${short} to be healthy`
      : `watches the new ${short} before the old one goes`;
  waitFor(own, slot, "updating", reason, timed ? fresh.startedAtMs + monitorMs : undefined);
}

function planFailedChange(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  old: InstanceFact,
  failed: Failed,
): void {
  const { pass, memory, wanted } = own;
  const { spec } = wanted;
  const { ladder } = spec.heal;
  const deaf = ladder === "off" || ladder === "alert";
  const goesOn = wanted.back || spec.update.onFailure === "continue";
  if (goesOn && (deaf || isSpent(own, slot, fresh))) {
    const text = `update_config.failure_action ${wanted.back ? "rollback" : "continue"}`;
    const rule: Rule = { text, at: spec.update.at ?? spec.at };
    planFinish(own, slot, fresh, old, failed.trigger.detail, rule);
  } else if (goesOn) planHeal({ pass, service: spec, slot, instance: fresh, memory }, failed);
  else if (deaf || !planRetry(own, slot, fresh, failed)) planStop(own, slot, fresh, failed);
}

/** True when a start of the new configuration is worth another try, which is then decided on. */
function planRetry(own: ServicePass, slot: number, fresh: InstanceFact, failed: Failed): boolean {
  const { pass, memory } = own;
  const { spec } = own.wanted;
  if (failed.trigger.kind === "unhealthy" || isSpent(own, slot, fresh)) return false;
  planHeal({ pass, service: spec, slot, instance: fresh, memory }, failed);
  return true;
}

/** How often the new instance has been started again without a good run between. */
function countTries(own: ServicePass, slot: number, fresh: InstanceFact): number {
  const known = own.memory.slots[String(slot)] ?? EMPTY_SLOT_MEMORY;
  return (known.acts.at(-1) ?? 0) >= fresh.createdAtMs ? known.consecutive : 0;
}

/** True when the new configuration has had the tries that a change is given. */
function isSpent(own: ServicePass, slot: number, fresh: InstanceFact): boolean {
  const { spec } = own.wanted;
  const known = own.memory.slots[String(slot)] ?? EMPTY_SLOT_MEMORY;
  const budget = readBudget(spec, known, own.pass.nowMs, 0);
  const triesMax = Math.min(ROLLOUT_TRIES, spec.restart.attemptsMax || ROLLOUT_TRIES);
  return countTries(own, slot, fresh) >= triesMax || budget.used >= budget.max;
}

/** Gives up a change whose old instance is gone; false when it is still worth a try. */
export function planGiveUp(
  own: ServicePass,
  slot: number,
  fresh: InstanceFact,
  failed: Failed,
): boolean {
  if (failed.trigger.kind !== "unhealthy" && !isSpent(own, slot, fresh)) return false;
  planStop(own, slot, fresh, failed);
  return true;
}

/** Stops the change: back to what ran before where that is wanted and known, else as it is. */
function planStop(own: ServicePass, slot: number, fresh: InstanceFact, ended: Ended): void {
  const { pass, service, wanted } = own;
  const { spec } = wanted;
  const short = shortName(service.name, slot);
  const detail = ended.kind === "failed" ? ended.trigger.detail : ended.reason;
  const rollback = spec.update.onFailure === "rollback" && wanted.previous !== undefined;
  const tries = countTries(own, slot, fresh);
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
    notDone: [
      {
        what: `try the new ${short} again`,
        why: tries === 0 ? detail : `it was started again ${tries} times`,
      },
    ],
  });
}
