// SPDX-License-Identifier: Apache-2.0
// One service: its slots filled, kept, changed, and the surplus removed.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { planChange, planCreate } from "./change.ts";
import { planHandover } from "./handover.ts";
import { findImageId } from "./image-change.ts";
import { planKeep } from "./keep.ts";
import { createPace, createSharedPace } from "./pace.ts";
import { findPauseEnd, isManaged, isOwn, type Pass } from "./pass.ts";
import { removeInstance } from "./remove-instance.ts";
import { chooseWanted, splitSlot, type SlotParts } from "./rollout.ts";
import { actOn, type ServicePass } from "./service-pass.ts";
import { holdsSlot, listSlots } from "./slots.ts";

/** A found container is taken over as it is: its configuration counts as the wanted one from now on. */
function planAdopt(own: ServicePass, slot: number, instance: InstanceFact): void {
  const countsAs = findImageId(own.pass.facts, own.service.container.Image);
  actOn(own, {
    act: "instance.adopt",
    slot,
    object: instance.name,
    title: `adopted ${instance.name} as it is`,
    instance,
    trigger: {
      kind: "missing",
      detail: "it is there for this service and Fairlead did not make it",
      atMs: own.pass.nowMs,
    },
    rule: { text: `services: ${own.service.name}`, at: own.service.at },
    inputs: countsAs === undefined || countsAs === instance.imageId ? {} : { countsAs },
    notDone: [{ what: `recreate ${instance.name}`, why: "adopting never recreates" }],
  });
}

function planSurplus(own: ServicePass, slot: number, instance: InstanceFact, detail: string): void {
  actOn(own, {
    act: "instance.remove",
    slot,
    object: instance.name,
    title: `removed ${instance.name}`,
    instance,
    trigger: { kind: "surplus", detail, atMs: own.pass.nowMs },
    rule: {
      text: `replicas: ${own.service.replicas}`,
      at: own.service.origins["replicas"] ?? own.service.at,
    },
  });
}

function planSlot(own: ServicePass, slot: number, parts: SlotParts | undefined): void {
  if (own.pass.busy.has(`${own.service.name}/${slot}`)) return;
  if (parts === undefined) return planCreate(own, slot);
  const [fresh, twin] = parts.current;
  const [old, older] = parts.outdated;
  const [found] = parts.foreign;
  const [cutOff] = parts.unfinished;
  if (cutOff !== undefined)
    return planSurplus(own, slot, cutOff, "its making was cut off, it is made anew");
  if (twin !== undefined) return planSurplus(own, slot, twin, "the slot has two instances");
  if (older !== undefined) return planSurplus(own, slot, older, "the slot has two old instances");
  const rests = own.memory.resting?.[String(slot)] !== undefined;
  if (fresh !== undefined && old !== undefined)
    return rests
      ? planSurplus(own, slot, old, "the slot rests")
      : planHandover(own, slot, fresh, old);
  if (old !== undefined && rests) return planKeep(own, slot, old);
  if (fresh !== undefined) return planKeep(own, slot, fresh);
  if (old !== undefined) return planChange(own, slot, old);
  // Beside an instance of its own a found one is left alone: whoever made it may be in the middle of something.
  if (found !== undefined) planAdopt(own, slot, found);
}

/** What goes beyond the number of replicas, unless Fairlead has nothing to do with it. */
function planScaleDown(own: ServicePass): void {
  const { pass, service, memory } = own;
  const beyond = [...pass.slotsOf(service.name)].filter(([slot]) => !holdsSlot(service, slot));
  for (const [slot, instances] of beyond.sort(([a], [b]) => b - a)) {
    const extra = instances.find((one) => one.state !== "removing" && isManaged(one, memory));
    const detail =
      slot <= service.replicas ? "it stands on another node" : `${service.replicas} are wanted`;
    if (extra !== undefined) planSurplus(own, slot, extra, detail);
  }
}

/** What must not run twice does not run here while another node may start it. */
function planFenced(pass: Pass, service: ServiceIntent): void {
  const reason = "a singleton runs only while the fleet's store answers";
  pass.wait({ service: service.name, kind: "blocked", reason });
  if (pass.fence !== "shut") return;
  for (const [slot, instances] of pass.slotsOf(service.name)) {
    const instance = instances.find((one) => one.state !== "removing" && isOwn(one));
    if (instance === undefined) continue;
    removeInstance(pass, {
      service: service.name,
      slot,
      instance,
      trigger: {
        kind: "members",
        detail:
          "no word of the fleet's store that it is still its own, and another node may start it",
        atMs: pass.nowMs,
      },
      rule: { text: "fairlead.singleton", at: service.at },
      inputs: { state: instance.state },
    });
  }
}

/** Decides on every instance of one service. */
export function planService(pass: Pass, service: ServiceIntent): void {
  if (service.singleton === true && (pass.fence ?? "open") !== "open")
    return planFenced(pass, service);
  const memory = pass.memoryOf(service.name);
  const untilMs = findPauseEnd(memory, pass.nowMs);
  if (untilMs !== undefined) {
    const ends = untilMs === Number.MAX_SAFE_INTEGER ? {} : { untilMs };
    pass.wait({ service: service.name, kind: "paused", reason: "automation is paused", ...ends });
    return;
  }
  const wanted = chooseWanted(service, memory);
  const slots = pass.slotsOf(service.name);
  const partsOf = (slot: number): SlotParts | undefined => {
    const instances = slots.get(slot);
    return instances === undefined ? undefined : splitSlot(instances, wanted, memory, pass.nowMs);
  };
  const paced = { pass, spec: wanted.spec, memory, partsOf };
  const isShared = service.slots !== undefined && wanted.spec.update.parallelism > 0;
  const pace =
    pass.turns !== undefined && isShared
      ? createSharedPace(paced, pass.turns.get(service.name))
      : createPace(paced);
  const own: ServicePass = { pass, service, wanted, memory, pace };
  if (wanted.hold || wanted.back) {
    const reason = `the change failed: ${memory.rolloutFailed?.reason ?? ""}`;
    pass.wait({ service: service.name, kind: "failed", reason });
  }
  for (const slot of listSlots(service)) planSlot(own, slot, partsOf(slot));
  planScaleDown(own);
  pace.note();
}
