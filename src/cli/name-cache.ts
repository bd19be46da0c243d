// SPDX-License-Identifier: Apache-2.0
// Names for the TAB key. Written by commands that had them anyway, so that TAB never waits.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import type { World } from "./context.ts";

/** Services by scope. */
export type Names = Readonly<Record<string, readonly string[]>>;

const NAMES_MAX = 2_000;

/** The file; it need not exist. */
export function locateNames(world: Pick<World, "env">): string {
  const base = world.env["XDG_CACHE_HOME"] ?? `${world.env["HOME"] ?? "/nonexistent"}/.cache`;
  return `${base}/fairlead/names.json`;
}

/** The names there were when a list was last shown; none when there is no cache or it is not one. */
export function readNames(world: World): Names {
  try {
    const names: unknown = JSON.parse(readFileSync(locateNames(world), "utf8"));
    if (typeof names !== "object" || names === null) return {};
    const scopes = Object.entries(names).filter((entry): entry is [string, unknown[]] =>
      Array.isArray(entry[1]),
    );
    return Object.fromEntries(scopes.map(([scope, services]) => [scope, services.map(String)]));
  } catch {
    return {};
  }
}

/** Keeps the names of a list: of all scopes, or of one beside what is known of the others. */
export function keepNames(
  world: World,
  scope: string | undefined,
  services: readonly Pick<ServiceView, "scope" | "name">[],
): void {
  const names: Record<string, string[]> = {};
  if (scope !== undefined) {
    for (const [name, known] of Object.entries(readNames(world)))
      if (name !== scope) names[name] = [...known];
  }
  for (const service of services.slice(0, NAMES_MAX))
    (names[service.scope] ??= []).push(service.name);
  const path = locateNames(world);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(names), { mode: 0o600 });
    renameSync(draft, path);
  } catch {
    // A cache that cannot be written is no reason to fail.
  }
}
