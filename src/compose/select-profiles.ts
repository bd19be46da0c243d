// SPDX-License-Identifier: Apache-2.0
import { child, type Entry, type MapNode, textOf, type Tree, withEntry } from "./tree.ts";

function profilesOf(service: Tree): string[] {
  const node = child(service, "profiles");
  return node?.kind === "list" ? node.items.flatMap((item) => textOf(item) ?? []) : [];
}

/** The project without services whose profiles are all inactive, and without what others optionally need of them. */
export function selectProfiles(
  tree: MapNode,
  active: readonly string[],
): { readonly tree: MapNode; readonly inactive: ReadonlyMap<string, readonly string[]> } {
  const services = child(tree, "services");
  const inactive = new Map<string, readonly string[]>();
  if (services?.kind !== "map") return { tree, inactive };
  const names = new Set(active.map((name) => name.trim()).filter((name) => name !== ""));
  for (const [name, { value }] of services.entries) {
    const profiles = profilesOf(value);
    const on = profiles.length === 0 || names.has("*") || profiles.some((p) => names.has(p));
    if (!on) inactive.set(name, profiles);
  }
  const entries = new Map<string, Entry>();
  for (const [name, entry] of services.entries) {
    if (inactive.has(name)) continue;
    entries.set(name, { ...entry, value: dropOptional(entry.value, inactive, services) });
  }
  return { tree: withEntry(tree, "services", { ...services, entries }), inactive };
}

function dropOptional(service: Tree, inactive: ReadonlyMap<string, unknown>, all: MapNode): Tree {
  const dependsOn = child(service, "depends_on");
  if (service.kind !== "map" || dependsOn?.kind !== "map") return service;
  const kept = [...dependsOn.entries].filter(([name, { value }]) => {
    const there = all.entries.has(name) && !inactive.has(name);
    return there || textOf(child(value, "required")) !== "false";
  });
  if (kept.length === dependsOn.entries.size) return service;
  return withEntry(service, "depends_on", { ...dependsOn, entries: new Map(kept) });
}
