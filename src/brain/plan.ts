// SPDX-License-Identifier: Apache-2.0
// A plan is the loop run ahead against a simulated engine: what it lists is what the loop will do, no more and no less.
import { hashValue } from "#base/canonical-json.ts";
import { FairleadError } from "#base/errors.ts";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import type { Plan, PlannedStep } from "#model/decision.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { createAgenda, type Agenda } from "./agenda.ts";
import { createDraft } from "./draft.ts";
import { brainErrors } from "./errors.ts";
import type { ReconcileInput } from "./pass.ts";
import { planRemoval } from "./removal.ts";
import { applyToDraft } from "./simulate.ts";

/** Far above what any scope needs (a round a level of dependencies, three a rollout step); a bound against a loop. */
const ROUNDS_MAX = 20_000;
/** Services with more replicas are planned as if all could change at once. */
const PACED_MAX = 20;

function toStep(action: PlannedAction): PlannedStep {
  const at = action.rule.at;
  return {
    act: action.act,
    ...(action.service === undefined ? {} : { service: action.service }),
    object: action.object,
    title: action.title,
    because: action.trigger.detail,
    ...(at === undefined ? {} : { at }),
  };
}

interface Ahead {
  readonly actions: readonly PlannedAction[];
  readonly last: Reconciliation;
}

/** Runs `agenda` until it decides nothing more; time moves only where a change waits for it. */
function runAhead(first: ReconcileInput, agenda: Agenda): Ahead {
  const actions: PlannedAction[] = [];
  const draft = createDraft(first, 0);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { nowMs, memory } = draft;
    const result = agenda.look({ ...first, nowMs, memory, facts: draft.readFacts() }, draft);
    if (result.actions.length === 0) {
      const untilMs = Math.min(
        ...result.waiting.map((w) => (w.kind === "updating" && w.untilMs ? w.untilMs : Infinity)),
      );
      if (!Number.isFinite(untilMs) || untilMs <= nowMs) return { actions, last: result };
      draft.nowMs = untilMs;
      continue;
    }
    actions.push(...result.actions);
    draft.nowMs = nowMs + 1;
    applyToDraft(draft, result.actions);
    agenda.note(result.actions, draft.takeTouched());
  }
  throw new FairleadError(
    brainErrors["no-end"],
    `the plan of ${first.intent.scope} does not come to an end`,
  );
}

/** What the plan depends on: who is there with which configuration, and what would be done about it. */
function computeBasis(input: ReconcileInput, steps: readonly PlannedStep[]): string {
  const { scope } = input.intent;
  const there = input.facts.instances
    .filter((instance) => instance.scope === scope && !instance.oneoff)
    .map((instance) => `${instance.id} ${instance.hash ?? ""}`)
    .sort();
  return hashValue({
    there,
    steps: steps.map((step) => `${step.act} ${step.object} ${step.title}`),
  });
}

/** Without the places in files that a value came from. */
function dropPlace<T extends object>(value: T): T {
  const { at: _at, origins: _origins, ...rest } = value as T & { at?: unknown; origins?: unknown };
  return rest as T;
}

/** Hash of an intent without what only describes where it came from: moving lines about changes nothing. */
export function hashIntent(intent: Intent): string {
  const services = intent.services.map((service) => ({
    ...dropPlace(service),
    restart: dropPlace(service.restart),
    heal: dropPlace(service.heal),
    update: dropPlace(service.update),
  }));
  const networks = intent.networks.map(dropPlace);
  const volumes = intent.volumes.map(dropPlace);
  return hashValue({ scope: intent.scope, services, networks, volumes });
}

/**
 * Big services are planned without their pace: the same steps in another order, and the cost stays linear. Run one by
 * one, a thousand replicas would be a thousand passes over all of them.
 */
function hurryBig(intent: Intent): Intent {
  const isBig = (service: ServiceIntent): boolean => service.replicas > PACED_MAX;
  if (!intent.services.some(isBig)) return intent;
  const hurry = (service: ServiceIntent): ServiceIntent =>
    isBig(service)
      ? { ...service, update: { ...service.update, parallelism: 0, delayMs: 0 } }
      : service;
  return { ...intent, services: intent.services.map(hurry) };
}

function toPlan(input: ReconcileInput, ahead: Ahead, id: string): Plan {
  const steps = ahead.actions.map(toStep);
  const touched = new Set(ahead.actions.map((action) => action.target));
  const { scope, diagnostics } = input.intent;
  const unchanged = input.facts.instances.filter(
    (instance) => instance.scope === scope && !instance.oneoff && !touched.has(instance.id),
  ).length;
  const waits = ahead.last.waiting
    .filter((w) => w.kind === "failed")
    .map((w) => `${w.service}: ${w.reason}`);
  return {
    id,
    scope,
    basis: computeBasis(input, steps),
    intentHash: hashIntent(input.intent),
    madeAtMs: input.nowMs,
    steps,
    unchanged,
    warnings: [...diagnostics.map((d) => d.message), ...new Set(waits)],
  };
}

/** What bringing the scope to its intent will do. Nothing that runs or is held back now is taken into account. */
export function makePlan(input: ReconcileInput, id: string): Plan {
  const fresh = { ...input, busy: new Set<string>(), held: new Map() };
  const hurried = { ...fresh, intent: hurryBig(input.intent) };
  return toPlan(fresh, runAhead(hurried, createAgenda(hurried)), id);
}

/** These acts as a plan: such as change only what is remembered, after which the loop is another. */
export function makePlanOf(
  input: ReconcileInput,
  actions: readonly PlannedAction[],
  id: string,
): Plan {
  const last: Reconciliation = { actions: [], waiting: [], wakeAtMs: undefined };
  return toPlan(input, { actions, last }, id);
}

/** What removing the scope will do. */
export function makeRemovalPlan(
  input: ReconcileInput,
  options: { volumes: boolean },
  id: string,
): Plan {
  const fresh = { ...input, busy: new Set<string>(), held: new Map() };
  const agenda: Agenda = {
    look: (now, ground) => planRemoval(now, options, ground),
    note: () => undefined,
  };
  return toPlan(fresh, runAhead(fresh, agenda), id);
}
