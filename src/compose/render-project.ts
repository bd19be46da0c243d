// SPDX-License-Identifier: Apache-2.0
import { stringify } from "yaml";
import type { Project } from "./project.ts";

/** What people read first in a service, in this order; the rest follows by the alphabet. */
const FIRST = ["image", "build", "command", "entrypoint"];

/** `compat` quotes what YAML 1.1 readers take for something else: `restart: no` is false to them, `22:22` a number. */
const STYLE = { lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" } as const;

/** The effective project as YAML, for `fairlead config`: long forms, absolute paths, the same text for the same project. */
export function renderProject(project: Project): string {
  const { name, services, networks, volumes, configs, secrets, extensions } = project;
  const whole: Record<string, unknown> = { name, services: sortValues(services) };
  for (const [key, section] of Object.entries({ networks, volumes, configs, secrets })) {
    if (Object.keys(section).length > 0) whole[key] = sortValues(section);
  }
  const escaped = Object.entries(whole).map(([key, value]) => [key, escapeDollars(value)]);
  // Loading takes these as they stand, all but Fairlead's own.
  const taken = Object.keys(extensions)
    .sort()
    .map((key) => [
      key,
      sortValues(key === "x-fairlead" ? escapeDollars(extensions[key]) : extensions[key]),
    ]);
  return stringify(Object.fromEntries([...escaped, ...taken]), STYLE);
}

function compareKeys(a: string, b: string): number {
  const rank = (key: string): number => {
    const at = FIRST.indexOf(key);
    return at < 0 ? FIRST.length : at;
  };
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

function sortValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortValues);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => compareKeys(a, b));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortValues(inner)]));
}

/** `$` as `$$`, so that loading the output gives the same project again. */
function escapeDollars(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, escapeDollars(inner)]),
  );
}
