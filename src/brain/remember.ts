// SPDX-License-Identifier: Apache-2.0
// What an act leaves in the memory of its service.
import type { PlannedAction } from "#model/action.ts";
import { EMPTY_SLOT_MEMORY, type ServiceMemory, type SlotMemory } from "#model/memory.ts";
import { rememberAct } from "./heal.ts";

function changeSlot(
  memory: ServiceMemory,
  action: PlannedAction,
  change: (slot: SlotMemory) => SlotMemory,
): ServiceMemory {
  const key = String(action.slot ?? 0);
  const slot = change(memory.slots[key] ?? EMPTY_SLOT_MEMORY);
  return { ...memory, slots: { ...memory.slots, [key]: slot } };
}

/** The memory of its service once `action` has begun at `nowMs`; undefined when it leaves nothing. */
export function rememberAction(
  action: PlannedAction,
  nowMs: number,
): ((memory: ServiceMemory) => ServiceMemory) | undefined {
  const { act, target, budget } = action;
  const hash = action.spec?.hash ?? "";
  if (act === "service.quarantine")
    return (memory) => changeSlot(memory, action, (slot) => ({ ...slot, quarantinedAtMs: nowMs }));
  if (act === "service.rollback" || act === "service.pauseRollout") {
    const rolloutFailed = { hash, atMs: nowMs, reason: action.trigger.detail };
    return (memory) => ({ ...memory, rolloutFailed });
  }
  if (act === "instance.adopt" && target !== undefined)
    return (memory) => ({ ...memory, adopted: { ...memory.adopted, [target]: hash } });
  if (budget === undefined) return undefined;
  const inARow = Number(action.inputs["failuresInARow"] ?? 1) - 1;
  return (memory) =>
    changeSlot(memory, action, (slot) => rememberAct(slot, inARow, budget.windowMs, nowMs));
}
