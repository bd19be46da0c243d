// SPDX-License-Identifier: Apache-2.0
// What an act leaves in the memory of its service. Pure; the loop writes it with the decision.
import { rememberAct } from "#brain/heal.ts";
import type { PlannedAction } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import { EMPTY_SLOT_MEMORY, type ServiceMemory } from "#model/memory.ts";

/** The memory once `action` has begun; undefined when nothing changes. */
export function rememberAction(
  action: PlannedAction,
  nowMs: number,
): ((memory: ServiceMemory) => ServiceMemory) | undefined {
  const slot = String(action.slot ?? 0);
  if (action.act === "service.quarantine") {
    return (memory) => {
      const before = memory.slots[slot] ?? EMPTY_SLOT_MEMORY;
      return {
        ...memory,
        slots: { ...memory.slots, [slot]: { ...before, quarantinedAtMs: nowMs } },
      };
    };
  }
  if (action.act === "service.rollback" || action.act === "service.pauseRollout") {
    const rolloutFailed = {
      hash: action.spec?.hash ?? "",
      atMs: nowMs,
      reason: action.trigger.detail,
    };
    return (memory) => ({ ...memory, rolloutFailed });
  }
  if (action.act === "instance.adopt" && action.target !== undefined) {
    const { target } = action;
    return (memory) => ({
      ...memory,
      adopted: { ...memory.adopted, [target]: action.spec?.hash ?? "" },
    });
  }
  const { budget } = action;
  if (budget === undefined) return undefined;
  return (memory) => {
    const before = memory.slots[slot] ?? EMPTY_SLOT_MEMORY;
    const inARow = Number(action.inputs["failuresInARow"] ?? 1) - 1;
    return {
      ...memory,
      slots: { ...memory.slots, [slot]: rememberAct(before, inARow, budget.windowMs, nowMs) },
    };
  };
}

/** The memory without what no longer exists: gone containers, quarantines that are over. Undefined when unchanged. */
export function tidyMemory(
  memory: ServiceMemory,
  instances: readonly InstanceFact[],
  nowMs: number,
  goodRunMs: number,
): ServiceMemory | undefined {
  const ids = new Set(instances.map((instance) => instance.id));
  const keep = <T>(record: Readonly<Record<string, T>>): [Record<string, T>, boolean] => {
    const kept = Object.entries(record).filter(([id]) => ids.has(id));
    return [Object.fromEntries(kept), kept.length !== Object.keys(record).length];
  };
  const [adopted, adoptedChanged] = keep(memory.adopted);
  const [stoppedByHand, stoppedChanged] = keep(memory.stoppedByHand);
  let slotsChanged = false;
  const slots = { ...memory.slots };
  for (const instance of instances) {
    const slot = slots[String(instance.slot)];
    const well =
      instance.state === "running" &&
      instance.health !== "unhealthy" &&
      instance.health !== "starting";
    if (slot?.quarantinedAtMs === undefined || !well || nowMs - instance.startedAtMs < goodRunMs)
      continue;
    slots[String(instance.slot)] = { acts: slot.acts, consecutive: 0 };
    slotsChanged = true;
  }
  if (!adoptedChanged && !stoppedChanged && !slotsChanged) return undefined;
  return { ...memory, adopted, stoppedByHand, slots };
}
