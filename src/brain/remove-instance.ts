// SPDX-License-Identifier: Apache-2.0
// An instance goes for a reason that is not its service's own.
import type { PlannedAction } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Pass } from "./pass.ts";

/** Which instance goes, and why. */
export interface InstanceRemoval extends Pick<
  PlannedAction,
  "trigger" | "rule" | "inputs" | "leaves"
> {
  readonly service: string;
  readonly slot: number;
  readonly instance: InstanceFact;
  /** Said after the instance's name in the title. */
  readonly why?: string;
}

/** Decides that it is removed. */
export function removeInstance(
  pass: Pass,
  { service, slot, instance, why, leaves = [], ...reason }: InstanceRemoval,
): void {
  const spec = pass.services.get(service);
  pass.act({
    key: `${service}/${slot}`,
    act: "instance.remove",
    service,
    slot,
    object: instance.name,
    target: instance.id,
    ...(spec === undefined ? {} : { spec }),
    title: why === undefined ? `removed ${instance.name}` : `removed ${instance.name} ${why}`,
    ...(leaves.length === 0 ? {} : { leaves }),
    notDone: [],
    ...reason,
  });
}
