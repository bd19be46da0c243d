// SPDX-License-Identifier: Apache-2.0
// Which volumes of this host's engine Fairlead made, and for which scope: they outlive it, until somebody says that they go.
import { OWN_LABELS, type VolumeFact } from "#model/facts.ts";
import type { FactsBoard } from "./facts-board.ts";

/** Scope to the names of its volumes, sorted. */
export function groupVolumes(
  volumes: readonly VolumeFact[],
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { name, labels } of volumes) {
    const scope = labels[OWN_LABELS.scope];
    if (scope === undefined) continue;
    const names = groups.get(scope);
    if (names === undefined) groups.set(scope, [name]);
    else names.push(name);
  }
  for (const names of groups.values()) names.sort();
  return groups;
}

/** Whether there are volumes of a scope; undefined while the engine has not said it. */
export function hasVolumes(
  board: Pick<FactsBoard, "read" | "ready">,
  scope: string,
): boolean | undefined {
  if (!board.ready) return undefined;
  return board.read().volumes.some(({ labels }) => labels[OWN_LABELS.scope] === scope);
}
