// SPDX-License-Identifier: Apache-2.0
import type { PlannedAction, Waiting } from "#model/action.ts";
import type { ActionKind, Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import type { Pace } from "./pace.ts";
import type { Pass } from "./pass.ts";
import type { Wanted } from "./rollout.ts";

/** A pass over one service. */
export interface ServicePass {
  readonly pass: Pass;
  readonly service: ServiceIntent;
  readonly wanted: Wanted;
  readonly memory: ServiceMemory;
  readonly pace: Pace;
}

/** What differs between the actions on one service. */
export interface ActionParts {
  readonly act: ActionKind;
  readonly slot: number;
  readonly object: string;
  readonly title: string;
  readonly trigger: Trigger;
  readonly rule: Rule;
  /** The configuration, when it is not the wanted one. */
  readonly spec?: ServiceIntent;
  readonly instance?: InstanceFact;
  readonly successor?: InstanceFact;
  readonly inputs?: PlannedAction["inputs"];
  readonly notDone?: PlannedAction["notDone"];
}

/** Adds an action on one slot of the service. */
export function actOn(own: ServicePass, parts: ActionParts): void {
  own.pass.act({
    key: `${own.service.name}/${parts.slot}`,
    act: parts.act,
    service: own.service.name,
    slot: parts.slot,
    object: parts.object,
    ...(parts.instance === undefined ? {} : { target: parts.instance.id }),
    ...(parts.successor === undefined ? {} : { successor: parts.successor.id }),
    spec: parts.spec ?? own.wanted.spec,
    title: parts.title,
    trigger: parts.trigger,
    rule: parts.rule,
    inputs: parts.inputs ?? {},
    notDone: parts.notDone ?? [],
  });
}

/** Notes what one slot of the service waits for. */
export function waitFor(
  own: ServicePass,
  slot: number,
  kind: Waiting["kind"],
  reason: string,
  untilMs?: number,
): void {
  own.pass.wait({
    service: own.service.name,
    slot,
    kind,
    reason,
    ...(untilMs === undefined ? {} : { untilMs }),
  });
}

/** True, and said, when the pace of the service does not allow that this instance changes now. */
export function isPaced(
  own: ServicePass,
  slot: number,
  instance: InstanceFact,
  what: string,
): boolean {
  if (own.pace.take(slot, instance)) return false;
  const { reason, untilMs } = own.pace.refusal;
  waitFor(own, slot, "updating", `${what}: ${reason}`, untilMs);
  return true;
}
