// SPDX-License-Identifier: Apache-2.0
// What one node has to do of what a fleet wants.
import type { Assignment } from "@fairlead/protocol/assignment.ts";
import type { Intent } from "#model/intent.ts";

/** The intent with the slots that stand on a node; undefined when the node has no part in it. */
export function narrowIntent(
  intent: Intent,
  { services }: Pick<Assignment, "services">,
  node: string,
): Intent | undefined {
  let has = false;
  let lacks = false;
  const narrowed = intent.services.map((service) => {
    const placed = services[service.name] ?? [];
    const slots = placed
      .filter(({ node: at, from = [] }) =>
        service.singleton === true
          ? at === node && from.length === 0
          : at === node || from.includes(node),
      )
      .map(({ slot }) => slot);
    has ||= slots.length > 0;
    const { replicas } = service;
    const all = slots.length === replicas && (slots.at(-1) ?? 0) === replicas;
    lacks ||= !all;
    return all ? service : { ...service, slots };
  });
  // A scope without any instance has its networks where it was placed: nowhere, or all on one node.
  if (!has) return undefined;
  return lacks ? { ...intent, services: narrowed } : intent;
}

/** The intent as it was before it was narrowed. */
export function widenIntent(intent: Intent): Intent {
  return { ...intent, services: intent.services.map(({ slots: _slots, ...service }) => service) };
}
