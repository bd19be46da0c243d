// SPDX-License-Identifier: Apache-2.0
// Placements as decisions: what goes where, and why.
import type { PlacedSlot } from "@fairlead/protocol/assignment.ts";
import { shortName } from "#brain/naming.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Trigger } from "#model/decision.ts";
import type { Draft, Reassignment } from "./assign-scopes.ts";
import type { FleetNode, FleetScope } from "./picture.ts";

type Nodes = ReadonlyMap<string, FleetNode>;

const nameOf = (nodes: Nodes, id: string): string => nodes.get(id)?.name ?? id;

/** Why slots leave a node. */
function describeLeaving(nodes: Nodes, id: string): string {
  const node = nodes.get(id);
  if (node === undefined) return `${id} is no node of the fleet any more`;
  if (node.standing !== "up") return `${node.name} is ${node.standing}`;
  if (node.ailingMs > 0) return `the engine of ${node.name} does not answer`;
  if (node.draining) return `${node.name} is to be drained`;
  return `it may not stand on ${node.name} any more`;
}

function describeTrigger(
  nodes: Nodes,
  because: string | undefined,
  moved: readonly { readonly now: PlacedSlot; readonly was: PlacedSlot | undefined }[],
  nowMs: number,
): Trigger {
  const left = moved.flatMap(({ now, was }) => {
    if (was === undefined) return [];
    if (because !== undefined) return because;
    return was.from?.includes(now.node) === true
      ? `it runs well on ${nameOf(nodes, now.node)} and not yet on ${nameOf(nodes, was.node)}`
      : describeLeaving(nodes, was.node);
  });
  return left.length === 0
    ? { kind: "missing", detail: "nobody was to have it yet", atMs: nowMs }
    : { kind: "members", detail: [...new Set(left)].join("; "), atMs: nowMs };
}

function describeTargets(
  nodes: Nodes,
  service: string,
  placed: readonly PlacedSlot[],
): { readonly text: string; readonly names: string } {
  const byNode = Map.groupBy(placed, ({ node }) => nameOf(nodes, node));
  const parts = [...byNode].map(([node, slots]) => {
    const names = slots.map(({ slot }) => shortName(service, slot));
    const shown =
      names.length > 4
        ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
        : names.join(", ");
    return `${shown} on ${node}`;
  });
  return { text: parts.join("; "), names: [...byNode.keys()].join(", ") };
}

/** One decision for each service of which slots go elsewhere, or find no node. */
export function describeMoves(
  scope: FleetScope,
  { draft, because }: Pick<Reassignment, "because"> & { readonly draft: Draft },
  nodes: Nodes,
  nowMs: number,
): readonly PlannedAction[] {
  const { intent } = scope.wanted;
  return intent.services.flatMap((service): PlannedAction[] => {
    const { name } = service;
    const before = scope.assignment?.services[name] ?? [];
    const moved = (draft.services[name] ?? [])
      .map((now) => ({ now, was: before.find(({ slot }) => slot === now.slot) }))
      .filter(({ now, was }) => now.node !== was?.node);
    const missing = draft.missing.find((one) => one.service === name);
    const known = scope.assignment?.missing.find((one) => one.service === name);
    const isNews = missing !== undefined && missing.why !== known?.why;
    if (moved.length === 0 && !isNews) return [];
    const target = describeTargets(
      nodes,
      name,
      moved.map(({ now }) => now),
    );
    const from = new Set(
      moved.flatMap(({ was }) => (was === undefined ? [] : nameOf(nodes, was.node))),
    );
    const at = service.origins["placement"] ?? service.at;
    return [
      {
        key: `place/${intent.scope}/${name}`,
        act: "service.place",
        service: name,
        object: name,
        title: moved.length === 0 ? `found no node for ${name}` : `placed ${target.text}`,
        trigger:
          moved.length === 0
            ? { kind: "missing", detail: missing?.why ?? "", atMs: nowMs }
            : describeTrigger(nodes, because, moved, nowMs),
        rule: { text: `replicas: ${service.replicas}`, at },
        inputs: {
          nodes: nodes.size,
          to: target.names,
          ...(from.size === 0 ? {} : { from: [...from].join(", ") }),
        },
        notDone:
          missing === undefined
            ? []
            : [
                {
                  what: `place ${missing.slots.map((slot) => shortName(name, slot)).join(", ")}`,
                  why: missing.why,
                },
              ],
      },
    ];
  });
}
