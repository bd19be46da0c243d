// SPDX-License-Identifier: Apache-2.0
// The loop of a scope against a simulated engine: what control does, without time, processes or a store.
import { computeBackoff } from "#brain/backoff.ts";
import type { Hold, ReconcileInput } from "#brain/pass.ts";
import { planReconcile } from "#brain/reconcile.ts";
import { applyActions } from "#brain/simulate.ts";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import { buildUnfinished } from "./builders.ts";

/** How an act ends: done, refused with nothing changed, cut off once the new container is whole, or while it is made. */
export type Fate = "done" | "refused" | "cut" | "unfinished";

export interface WorldOptions {
  readonly plan?: (input: ReconcileInput) => Reconciliation;
  /** Passes after which the loop counts as one without end. */
  readonly roundsMax?: number;
  readonly fateOf?: (action: PlannedAction, round: number) => Fate;
  /** What happens to the instances between two passes. */
  readonly disturb?: (instances: readonly InstanceFact[], round: number) => readonly InstanceFact[];
  /** Called with each pass before its acts. */
  readonly inspect?: (input: ReconcileInput, result: Reconciliation) => void;
}

export interface Outcome {
  readonly input: ReconcileInput;
  readonly last: Reconciliation;
  /** Acts in their order, those that failed too. */
  readonly actions: readonly PlannedAction[];
  readonly rounds: number;
}

/** What is there when the node dies in the middle of making or replacing a container. */
function cutOff(
  before: readonly InstanceFact[],
  after: readonly InstanceFact[],
  action: PlannedAction,
  nowMs: number,
): readonly InstanceFact[] {
  const known = new Set(before.map((instance) => instance.id));
  const halfMade = after.map((instance): InstanceFact =>
    known.has(instance.id)
      ? instance
      : { ...instance, state: "created", health: "none", startedAtMs: 0 },
  );
  const gone = before.find((instance) => instance.id === action.target);
  if (action.act !== "instance.replace" || gone === undefined) return halfMade;
  const stopped = { ...gone, state: "exited", exitCode: 143, finishedAtMs: nowMs } as const;
  return [...halfMade, { ...stopped, name: `${gone.name}-was` }];
}

/** What is there when the node dies in the middle of making a container: nothing else has been done yet. */
function cutMaking(
  before: readonly InstanceFact[],
  after: readonly InstanceFact[],
): readonly InstanceFact[] {
  const known = new Set(before.map((instance) => instance.id));
  const made = after.filter((instance) => !known.has(instance.id));
  return made.length === 0 ? after : [...before, ...made.map((one) => buildUnfinished(one))];
}

/** Runs passes until nothing is decided and time alone changes nothing. Throws when there is no end. */
export function runWorld(first: ReconcileInput, options: WorldOptions = {}): Outcome {
  const { plan = planReconcile, roundsMax = 2_000, fateOf = () => "done" } = options;
  const held = new Map<string, Hold & { tries: number }>();
  const actions: PlannedAction[] = [];
  let input: ReconcileInput = { ...first, held };
  let serial = 0;
  for (let round = 0; round < roundsMax; round++) {
    const result = plan(input);
    options.inspect?.(input, result);
    const disturbed = options.disturb?.(input.facts.instances, round) ?? input.facts.instances;
    if (result.actions.length === 0 && disturbed === input.facts.instances) {
      if (result.wakeAtMs === undefined) return { input, last: result, actions, rounds: round };
      input = { ...input, nowMs: result.wakeAtMs };
      continue;
    }
    const nowMs = input.nowMs + 1;
    let facts = { ...input.facts, instances: disturbed };
    let memory = input.memory;
    for (const action of result.actions) {
      actions.push(action);
      const fate = fateOf(action, round);
      const world = applyActions({ ...input, facts, memory, nowMs }, [action], serial);
      serial = world.serial;
      memory = world.memory;
      if (fate === "done") facts = { ...facts, ...world.facts };
      if (fate === "cut" || fate === "unfinished") {
        const { instances: after } = world.facts;
        const instances =
          fate === "cut"
            ? cutOff(facts.instances, after, action, nowMs)
            : cutMaking(facts.instances, after);
        facts = { ...facts, ...world.facts, instances };
      }
      if (fate === "done") held.delete(action.key);
      else {
        const tries = (held.get(action.key)?.tries ?? 0) + 1;
        const untilMs = nowMs + computeBackoff(tries, action.key);
        held.set(action.key, { tries, untilMs, final: false, reason: "the engine said no" });
      }
    }
    input = { ...input, facts: { ...facts, asOfMs: nowMs }, memory, nowMs };
  }
  throw new Error(`no end after ${roundsMax} passes`);
}
