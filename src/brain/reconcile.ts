// SPDX-License-Identifier: Apache-2.0
// From facts and intent to what has to be done now. Level-triggered: every pass starts from what there is, decides
// only what may be done at once, and decides nothing when everything is as wanted.
import type { Reconciliation } from "#model/action.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { planService } from "./instances.ts";
import { createPass, isOwn, listObserved, type Pass, type ReconcileInput } from "./pass.ts";
import { planNetworks, planVolumes } from "./resources.ts";

/** Instances that Fairlead made for services the intent no longer has. Others' are left alone. */
function planOrphans(pass: Pass): void {
  for (const { service, slot, instances } of listObserved(
    pass,
    (name) => !pass.services.has(name),
  )) {
    const orphan = instances.find((instance) => isOwn(instance) && instance.state !== "removing");
    if (orphan === undefined) continue;
    pass.act({
      key: `${service}/${slot}`,
      act: "instance.remove",
      service,
      slot,
      object: orphan.name,
      target: orphan.id,
      title: `removed ${orphan.name}`,
      trigger: {
        kind: "surplus",
        detail: `the scope no longer has a service ${service}`,
        atMs: pass.nowMs,
      },
      rule: { text: "services", at: { file: pass.intent.files[0] ?? "" } },
      inputs: {},
      notDone: [],
    });
  }
}

/** A part of a pass: the networks and volumes, one service, or what no service wants. */
export interface Part {
  /** The service; undefined for the first part and the last. */
  readonly service: ServiceIntent | undefined;
  plan(pass: Pass): void;
}

/** The parts of a pass in their order. Each but the first sees which keys those before it have taken. */
export function listParts(intent: Intent): readonly Part[] {
  const planResources = (pass: Pass): void => {
    planNetworks(pass);
    planVolumes(pass);
  };
  return [
    { service: undefined, plan: planResources },
    ...intent.services.map((service) => ({
      service,
      plan: (pass: Pass) => planService(pass, service),
    })),
    { service: undefined, plan: planOrphans },
  ];
}

/** One pass over one scope. The same input gives the same result; the cost grows linearly with instances. */
export function planReconcile(input: ReconcileInput): Reconciliation {
  const pass = createPass(input);
  for (const part of listParts(input.intent)) part.plan(pass);
  return pass.take();
}
