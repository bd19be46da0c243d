// SPDX-License-Identifier: Apache-2.0
// What one node has to do of what a fleet wants.
import type { Assignment, PlacedSlot } from "@fairlead/protocol/assignment.ts";
import type { Intent } from "#model/intent.ts";

type Services = Assignment["services"];
/** Service to the slots in which one node has a part. */
type PlacedAt = ReadonlyMap<string, readonly PlacedSlot[]>;

/** By services as they were assigned, which never change: what each node has. */
const indices = new WeakMap<Services, ReadonlyMap<string, PlacedAt>>();

function indexByNode(services: Services): ReadonlyMap<string, PlacedAt> {
  const known = indices.get(services);
  if (known !== undefined) return known;
  const index = new Map<string, Map<string, PlacedSlot[]>>();
  for (const [service, slots] of Object.entries(services))
    for (const slot of slots)
      for (const node of new Set([slot.node, ...(slot.from ?? [])])) {
        const own = index.get(node) ?? new Map<string, PlacedSlot[]>();
        index.set(node, own.set(service, [...(own.get(service) ?? []), slot]));
      }
  indices.set(services, index);
  return index;
}

/** The slots that stand on a node, or leave it; undefined when it has no part in any. */
export function listPlacedAt(services: Services, node: string): PlacedAt | undefined {
  return indexByNode(services).get(node);
}

/** The intent with the slots that stand on a node; undefined when the node has no part in it. */
export function narrowIntent(
  intent: Intent,
  { services }: Pick<Assignment, "services">,
  node: string,
): Intent | undefined {
  const own = listPlacedAt(services, node);
  if (own === undefined) return undefined;
  let has = false;
  let lacks = false;
  const narrowed = intent.services.map((service) => {
    const placed = own.get(service.name) ?? [];
    const slots = placed
      .filter(({ node: at, from = [] }) =>
        service.singleton === true ? at === node && from.length === 0 : true,
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
