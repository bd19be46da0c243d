// SPDX-License-Identifier: Apache-2.0
// The ladder: restart, then recreate, then quarantine with an alert; bounded by a budget in a sliding window, so that a
// service that cannot live costs little and one that recovers is tried again when the window has moved on.
import { formatDuration } from "#base/duration.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { EMPTY_SLOT_MEMORY, type ServiceMemory, type SlotMemory } from "#model/memory.ts";
import { computeBackoff } from "./backoff.ts";
import { findBlock, isBlockFinal } from "./dependencies.ts";
import { GOOD_RUN_MS, type Diagnosis } from "./diagnosis.ts";
import { shortName } from "./naming.ts";
import type { Pass } from "./pass.ts";

/** How the slot stands with its budget. */
export interface Budget {
  readonly used: number;
  readonly max: number;
  readonly windowMs: number;
  /** Acts in a row without a good run between. */
  readonly consecutive: number;
  /** When the oldest act leaves the window. */
  readonly freeAtMs: number;
}

/** Reads the budget of a slot at `nowMs`. `runMs` is how long the run that just failed had lasted. */
export function readBudget(
  service: ServiceIntent,
  slot: SlotMemory,
  nowMs: number,
  runMs: number,
): Budget {
  const { actsMax, windowMs } = service.heal;
  // Acts that lie ahead were noted before the wall clock was set back: they say nothing any more.
  const recent = slot.acts.filter((atMs) => atMs > nowMs - windowMs && atMs <= nowMs);
  const goodRunMs = service.restart.windowMs ?? GOOD_RUN_MS;
  const oldest = recent[recent.length - actsMax];
  return {
    used: recent.length,
    max: actsMax,
    windowMs,
    consecutive: runMs >= goodRunMs ? 0 : slot.consecutive,
    freeAtMs: (oldest ?? nowMs) + windowMs,
  };
}

/** The memory of a slot after an act that counted, `consecutive` being what it was before. */
export function rememberAct(
  slot: SlotMemory,
  consecutive: number,
  windowMs: number,
  nowMs: number,
): SlotMemory {
  return {
    acts: [...slot.acts.filter((atMs) => atMs > nowMs - windowMs && atMs <= nowMs), nowMs],
    consecutive: consecutive + 1,
    ...(slot.changed === true ? { changed: true } : {}),
  };
}

/** `restart max=5/10m0s`, as the label is written. */
export function describeHeal(service: ServiceIntent): string {
  const { ladder, actsMax, windowMs } = service.heal;
  if (ladder === "off" || ladder === "alert") return ladder;
  return `${ladder} max=${actsMax}/${formatDuration(windowMs)}`;
}

/** The rule that a decision of the ladder names: the label, or where the restart policy stands. */
export function healRule(service: ServiceIntent): Rule {
  const at = service.heal.at ?? service.restart.at ?? service.at;
  return { text: `fairlead.heal ${describeHeal(service)}`, at };
}

type Failed = Extract<Diagnosis, { kind: "failed" }>;

interface Patient {
  readonly pass: Pass;
  readonly service: ServiceIntent;
  readonly slot: number;
  readonly instance: InstanceFact;
  readonly memory: ServiceMemory;
  /** True for an instance that is to be changed soon: it is kept alive, and not recreated. */
  readonly keep?: boolean;
}

function wait(
  patient: Patient,
  kind: "failed" | "quarantined" | "backoff" | "blocked",
  reason: string,
  untilMs?: number,
): void {
  const { pass, service, slot } = patient;
  pass.wait({
    service: service.name,
    slot,
    kind,
    reason,
    ...(untilMs === undefined ? {} : { untilMs }),
  });
}

/** Starts an instance that has never run or ended with the engine; nothing is counted. */
export function planStart(patient: Patient, trigger: Trigger): void {
  const { pass, service, slot, instance } = patient;
  const block = findBlock(pass, service, instance.startedAtMs === 0);
  if (block !== undefined) {
    wait(patient, isBlockFinal(pass, service) ? "failed" : "blocked", block);
    return;
  }
  pass.act({
    key: `${service.name}/${slot}`,
    act: "instance.start",
    service: service.name,
    slot,
    object: instance.name,
    target: instance.id,
    spec: service,
    title: `started ${shortName(service.name, slot)}`,
    trigger,
    rule: { text: `replicas: ${service.replicas}`, at: service.at },
    inputs: { state: instance.state },
    notDone: [],
  });
}

/** Why the owner does not want this healed, or undefined. */
function findRefusal(patient: Patient, failed: Failed): string | undefined {
  const { service, instance, keep } = patient;
  if (service.heal.ladder === "alert") return "fairlead.heal is alert";
  // `restart: no` speaks of all restarts, unless fairlead.heal was written to say otherwise.
  if (
    failed.trigger.kind === "unhealthy" &&
    service.restart.policy === "no" &&
    service.heal.at === undefined
  )
    return "restart policy is no";
  if (keep === true && instance.state === "dead") return "it cannot be started again";
  return undefined;
}

/** Decides the next step of the ladder for an instance that failed. */
export function planHeal(patient: Patient, failed: Failed): void {
  const { pass, service, slot, instance, memory } = patient;
  const { ladder } = service.heal;
  if (ladder === "off") return;
  const refusal = findRefusal(patient, failed);
  if (refusal !== undefined) {
    wait(patient, "failed", `${failed.trigger.detail}; ${refusal}`);
    return;
  }
  const slotMemory = memory.slots[String(slot)] ?? EMPTY_SLOT_MEMORY;
  const budget = readBudget(service, slotMemory, pass.nowMs, failed.runMs);
  const { attemptsMax = 0 } = service.restart;
  if (attemptsMax > 0 && budget.consecutive >= attemptsMax) {
    const said = `all ${attemptsMax} attempts of the restart policy are used up`;
    wait(patient, "failed", `${failed.trigger.detail}; ${said}`);
    return;
  }
  if (budget.used >= budget.max) {
    planQuarantine(patient, failed, budget, slotMemory);
    return;
  }
  const dueMs = computeDue(patient, slotMemory, budget, failed);
  if (dueMs > pass.nowMs) {
    const inMs = formatDuration(dueMs - pass.nowMs);
    wait(patient, "backoff", `${failed.trigger.detail}; next try in ${inMs}`, dueMs);
    return;
  }
  const block = instance.state === "running" ? undefined : findBlock(pass, service, false);
  if (block !== undefined) {
    wait(patient, isBlockFinal(pass, service) ? "failed" : "blocked", block);
    return;
  }
  pass.act(makeHealAction(patient, failed, budget));
}

function computeDue(
  patient: Patient,
  slotMemory: SlotMemory,
  budget: Budget,
  failed: Failed,
): number {
  const { service, instance } = patient;
  const delayMs =
    budget.consecutive === 0
      ? 0
      : (service.restart.delayMs ?? computeBackoff(budget.consecutive, instance.name));
  const { nowMs } = patient.pass;
  const lastActMs = slotMemory.acts.findLast((atMs) => atMs <= nowMs) ?? 0;
  const endedMs = instance.finishedAtMs <= nowMs ? instance.finishedAtMs : 0;
  const sinceMs = failed.trigger.kind === "unhealthy" ? lastActMs : Math.max(lastActMs, endedMs);
  return sinceMs + delayMs;
}

function makeHealAction(patient: Patient, failed: Failed, budget: Budget): PlannedAction {
  const { service, slot, instance } = patient;
  const used = budget.used + 1;
  const last = used === budget.max && budget.max > 1;
  // The engine cannot start what is dead.
  const needed = service.heal.ladder === "replace" || last || instance.state === "dead";
  const replace = needed && patient.keep !== true;
  const running = instance.state === "running";
  const short = shortName(service.name, slot);
  return {
    key: `${service.name}/${slot}`,
    act: replace ? "instance.replace" : running ? "instance.restart" : "instance.start",
    service: service.name,
    slot,
    object: instance.name,
    target: instance.id,
    spec: service,
    title: `${replace ? "recreated" : "restarted"} ${short}`,
    trigger: failed.trigger,
    rule: healRule(service),
    inputs: {
      state: instance.state,
      health: instance.health,
      exitCode: instance.exitCode,
      oomKilled: instance.oomKilled,
      failuresInARow: budget.consecutive + 1,
      ranMs: failed.runMs,
    },
    notDone: replace ? [] : [{ what: `recreate ${short}`, why: explainRestart(patient, budget) }],
    budget: { used, max: budget.max, windowMs: budget.windowMs },
  };
}

function explainRestart(patient: Patient, budget: Budget): string {
  if (patient.keep === true) return "it is changed when its turn comes";
  return `restart ${budget.used + 1} of ${budget.max} comes first`;
}

function planQuarantine(
  patient: Patient,
  failed: Failed,
  budget: Budget,
  slotMemory: SlotMemory,
): void {
  const { pass, service, slot, instance } = patient;
  const spent = `${budget.used} of ${budget.max} acts in ${formatDuration(budget.windowMs)} are spent`;
  wait(patient, "quarantined", `${failed.trigger.detail}; ${spent}`, budget.freeAtMs);
  if (slotMemory.quarantinedAtMs !== undefined) return;
  pass.act({
    key: `${service.name}/${slot}`,
    act: "service.quarantine",
    service: service.name,
    slot,
    object: instance.name,
    target: instance.id,
    title: `quarantined ${shortName(service.name, slot)}`,
    trigger: failed.trigger,
    rule: healRule(service),
    inputs: { used: budget.used, max: budget.max, nextTryInMs: budget.freeAtMs - pass.nowMs },
    notDone: [{ what: `restart ${shortName(service.name, slot)}`, why: spent }],
    budget: { used: budget.used, max: budget.max, windowMs: budget.windowMs },
  });
}
