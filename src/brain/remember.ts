// SPDX-License-Identifier: Apache-2.0
// What an act leaves in the memory of its service.
import type { PlannedAction } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import { EMPTY_SLOT_MEMORY, type ServiceMemory, type SlotMemory } from "#model/memory.ts";
import { rememberAct } from "./heal.ts";
import { isToRecreate, isToRestart, tidyRequest } from "./request.ts";

function changeSlot(
  memory: ServiceMemory,
  action: PlannedAction,
  change: (slot: SlotMemory) => SlotMemory,
): ServiceMemory {
  const key = String(action.slot ?? 0);
  const slot = change(memory.slots[key] ?? EMPTY_SLOT_MEMORY);
  return { ...memory, slots: { ...memory.slots, [key]: slot } };
}

/** Notes whether what a slot has was made by a change; what was made for another reason is no change to take back. */
function markChanged(slot: SlotMemory, changed: boolean | undefined): SlotMemory {
  if (changed === undefined || (slot.changed ?? false) === changed) return slot;
  const { changed: _before, ...rest } = slot;
  return changed ? { ...rest, changed } : rest;
}

/** Its configuration, and where that differs its image, count as the wanted one. */
function adopt(
  memory: ServiceMemory,
  id: string,
  hash: string,
  imageId: string | number | boolean | undefined,
): ServiceMemory {
  const adopted = { ...memory.adopted, [id]: hash };
  if (typeof imageId !== "string") return { ...memory, adopted };
  return { ...memory, adopted, adoptedImages: { ...memory.adoptedImages, [id]: imageId } };
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
    return (memory) => adopt(memory, target, hash, action.inputs["countsAs"]);
  const { leaves = [] } = action;
  if (leaves.length > 0)
    return (memory) => {
      const leavingVolumes = [...new Set([...(memory.leavingVolumes ?? []), ...leaves])];
      return { ...memory, leavingVolumes };
    };
  const made = act === "instance.create" || act === "instance.replace";
  const changed = made ? action.trigger.kind === "change" : undefined;
  if (budget === undefined) {
    if (changed === undefined) return undefined;
    return (memory) => changeSlot(memory, action, (slot) => markChanged(slot, changed));
  }
  const inARow = Number(action.inputs["failuresInARow"] ?? 1) - 1;
  return (memory) =>
    changeSlot(memory, action, (slot) =>
      rememberAct(markChanged(slot, changed), inARow, budget.windowMs, nowMs),
    );
}

/**
 * The memory without what no longer exists: gone containers, quarantines that are over, requests that are fulfilled.
 * Undefined when unchanged. `instances` are those of the service.
 */
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
  const [adoptedImages, imagesChanged] = keep(memory.adoptedImages ?? {});
  const [countsAs, countsChanged] = keep(memory.countsAs ?? {});
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
  const { restartRequested: restart, recreateRequested: recreate, ...rest } = memory;
  const restartLeft = tidyRequest(restart, (one) => isToRestart(restart, one), instances);
  const recreateLeft = tidyRequest(recreate, (one) => isToRecreate(recreate, one), instances);
  const requestsChanged = restartLeft !== restart || recreateLeft !== recreate;
  const recordsChanged = adoptedChanged || stoppedChanged || imagesChanged || countsChanged;
  if (!recordsChanged && !slotsChanged && !requestsChanged) return undefined;
  return {
    ...rest,
    ...(restartLeft === undefined ? {} : { restartRequested: restartLeft }),
    ...(recreateLeft === undefined ? {} : { recreateRequested: recreateLeft }),
    ...(memory.adoptedImages === undefined ? {} : { adoptedImages }),
    ...(memory.countsAs === undefined ? {} : { countsAs }),
    adopted,
    stoppedByHand,
    slots,
  };
}
