// SPDX-License-Identifier: Apache-2.0
// How many instances of a service may be in the middle of a change at once, and when the next may follow. Of a service that
// stands on several nodes the leader of the fleet says whose turn it is: here it is asked for, and used once given.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { diagnose } from "./diagnosis.ts";
import { isReady, type OwnTurns, type Pass } from "./pass.ts";
import type { SlotParts } from "./rollout.ts";
import { listSlots } from "./slots.ts";

/** How many more instances of the service may be taken through a change in this pass. */
export interface Pace {
  /** True, and one fewer left, when the instance of a slot may change now. */
  take(slot: number, instance: InstanceFact): boolean;
  /** True while what was changed already fails: then nothing else is risked. */
  readonly failing: boolean;
  /** Why none may, once `take` has said no, and when that can change by time alone. */
  readonly refusal: { readonly reason: string; readonly untilMs: number | undefined };
  /** To be called at the end: says what was asked for, where others give the turns. */
  note(): void;
}

/** What the pace of one service follows from; `partsOf` gives the containers of a slot, undefined for an empty one. */
export interface PaceInput {
  readonly pass: Pass;
  readonly spec: ServiceIntent;
  readonly memory: ServiceMemory;
  partsOf(slot: number): SlotParts | undefined;
}

type Standing =
  | { readonly settled: true }
  | { readonly settled: false; readonly failing?: true; readonly untilMs?: number };

const FAILING: Standing = { settled: false, failing: true };

/** A slot is settled when what was changed in it has proven good, or was never wanted to stay up. */
function judgeSlot(input: PaceInput, parts: SlotParts): Standing {
  const { pass, spec, memory } = input;
  const [fresh] = parts.current;
  if (fresh === undefined) return { settled: true };
  const goesOn = spec.update.onFailure === "continue";
  const diagnosis = diagnose(fresh, spec, memory, pass.facts);
  if (diagnosis.kind === "failed") return goesOn ? { settled: true } : FAILING;
  if (parts.outdated.length > 0) return { settled: false };
  if (diagnosis.kind === "rests")
    return diagnosis.completed || goesOn ? { settled: true } : FAILING;
  if (fresh.state === "paused" || isReady(fresh, spec.update.monitorMs, pass.nowMs))
    return { settled: true };
  return waitForReady(fresh, spec);
}

function waitForReady(fresh: InstanceFact, spec: ServiceIntent): Standing {
  const watched = fresh.state === "running" && fresh.health === "none";
  return watched
    ? { settled: false, untilMs: fresh.startedAtMs + spec.update.monitorMs }
    : { settled: false };
}

interface Count {
  left: number;
  readonly moving: readonly number[];
  readonly failing: boolean;
  readonly reason: string;
  readonly untilMs: number | undefined;
}

function countMoving(input: PaceInput): Count {
  const { pass, spec } = input;
  const { parallelism, delayMs } = spec.update;
  let left = parallelism === 0 ? Number.MAX_SAFE_INTEGER : parallelism;
  let lastChangeMs = 0;
  let untilMs: number | undefined;
  const moving: number[] = [];
  let failing = false;
  for (const slot of listSlots(spec)) {
    const parts = input.partsOf(slot);
    if (parts === undefined) continue;
    for (const one of parts.current) lastChangeMs = Math.max(lastChangeMs, one.createdAtMs);
    const standing = judgeSlot(input, parts);
    if (!standing.settled && standing.failing === true) failing = true;
    if (!standing.settled && standing.untilMs !== undefined)
      untilMs = Math.min(untilMs ?? standing.untilMs, standing.untilMs);
    if (!standing.settled || pass.busy.has(`${spec.name}/${slot}`)) moving.push(slot);
  }
  left -= moving.length;
  const dueMs = lastChangeMs + delayMs;
  if (delayMs > 0 && lastChangeMs > 0 && pass.nowMs < dueMs && lastChangeMs <= pass.nowMs)
    return { left: 0, moving, failing, reason: "update_config.delay", untilMs: dueMs };
  return { left, moving, failing, reason: `update_config.parallelism is ${parallelism}`, untilMs };
}

/** Names one run of a container: with the next start it is another. */
function nameRun({ id, startedAtMs }: InstanceFact): string {
  return `${id.slice(0, 12)}@${startedAtMs}`;
}

/** Counts, when first asked, the instances that are in the middle of something. */
export function createPace(input: PaceInput): Pace {
  let count: Count | undefined;
  const read = (): Count => (count ??= countMoving(input));
  return {
    take: () => read().left-- > 0,
    note: () => undefined,
    get failing() {
      return read().failing;
    },
    get refusal() {
      const { reason, untilMs } = read();
      return { reason, untilMs };
    },
  };
}

/** The pace of a service that stands on several nodes: none changes here before its turn was given. */
export function createSharedPace(input: PaceInput, turns: OwnTurns | undefined): Pace {
  const { pass, spec, memory } = input;
  const asks: { slot: number; run: string }[] = [];
  const count = countMoving(input);
  const { parallelism } = spec.update;
  // Whether it is well is told to the others, so it is looked at once that can have changed.
  if (count.untilMs !== undefined) pass.wakeAt(count.untilMs);
  return {
    take(slot, instance) {
      const run = nameRun(instance);
      asks.push({ slot, run });
      return turns?.slots.get(slot) === run;
    },
    failing: count.failing,
    refusal: {
      reason: `update_config.parallelism is ${parallelism}, on all nodes together`,
      untilMs: undefined,
    },
    note() {
      const { rolloutFailed } = memory;
      const failed =
        rolloutFailed === undefined
          ? {}
          : { failed: { hash: rolloutFailed.hash, reason: rolloutFailed.reason } };
      pass.roll(spec.name, { asks, moving: count.moving, ...failed });
    },
  };
}
