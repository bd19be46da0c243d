// SPDX-License-Identifier: Apache-2.0
// How many instances of a service may be in the middle of a change at once, and when the next may follow.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { diagnose } from "./diagnosis.ts";
import { isReady, type Pass } from "./pass.ts";
import type { SlotParts } from "./rollout.ts";
import { listSlots } from "./slots.ts";

/** How many more instances of the service may be taken through a change in this pass. */
export interface Pace {
  /** True, and one fewer left, when another may change now. */
  take(): boolean;
  /** True while what was changed already fails: then nothing else is risked. */
  readonly failing: boolean;
  /** Why none may, once `take` has said no, and when that can change by time alone. */
  readonly refusal: { readonly reason: string; readonly untilMs: number | undefined };
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
  let failing = false;
  for (const slot of listSlots(spec)) {
    const parts = input.partsOf(slot);
    if (parts === undefined) continue;
    for (const one of parts.current) lastChangeMs = Math.max(lastChangeMs, one.createdAtMs);
    const standing = judgeSlot(input, parts);
    if (!standing.settled && standing.failing === true) failing = true;
    if (!standing.settled && standing.untilMs !== undefined)
      untilMs = Math.min(untilMs ?? standing.untilMs, standing.untilMs);
    if (!standing.settled || pass.busy.has(`${spec.name}/${slot}`)) left--;
  }
  const dueMs = lastChangeMs + delayMs;
  if (delayMs > 0 && lastChangeMs > 0 && pass.nowMs < dueMs && lastChangeMs <= pass.nowMs)
    return { left: 0, failing, reason: "update_config.delay", untilMs: dueMs };
  return { left, failing, reason: `update_config.parallelism is ${parallelism}`, untilMs };
}

/** Counts, when first asked, the instances that are in the middle of something. */
export function createPace(input: PaceInput): Pace {
  let count: Count | undefined;
  const read = (): Count => (count ??= countMoving(input));
  return {
    take: () => read().left-- > 0,
    get failing() {
      return read().failing;
    },
    get refusal() {
      const { reason, untilMs } = read();
      return { reason, untilMs };
    },
  };
}
