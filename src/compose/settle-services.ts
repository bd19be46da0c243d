// SPDX-License-Identifier: Apache-2.0
// From merged files to the effective project: env files read, profiles applied, defaults filled in.
import type { Location } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { refuse } from "./findings.ts";
import type { Environment } from "./interpolate-tree.ts";
import { parseEnvFile } from "./parse-env-file.ts";
import { readInput, type Run } from "./run.ts";
import {
  child,
  type Entry,
  isNull,
  map,
  mapEntries,
  type MapNode,
  scalar,
  textOf,
  type Tree,
  withEntry,
  withoutEntries,
} from "./tree.ts";

/** The service with `env_file` and `label_file` read into `environment` and `labels`, and empty variables looked up. */
export async function readServiceFiles(
  run: Run,
  service: MapNode,
  environment: Environment,
): Promise<MapNode> {
  const variables = new Map<string, Entry>();
  for (const file of itemsOf(child(service, "env_file"))) {
    await readVariables(run, file, environment, variables);
  }
  const labels = new Map<string, Entry>();
  for (const file of itemsOf(child(service, "label_file"))) {
    const path = textOf(file) ?? "";
    const text = await readInput(run, path, file.at);
    if (text === undefined) {
      throw refuse(
        composeErrors["file-unreadable"],
        `label_file names ${path}, which does not exist`,
        file.at,
      );
    }
    for (const { name, value, at } of parseEnvFile(text, path, { environment })) {
      labels.set(name, { keyAt: at, value: scalar(value ?? "", at) });
    }
  }
  const own = child(service, "environment");
  for (const [name, entry] of own?.kind === "map" ? own.entries : []) variables.set(name, entry);
  const ownLabels = child(service, "labels");
  for (const [name, { keyAt, value }] of ownLabels?.kind === "map" ? ownLabels.entries : []) {
    labels.set(name, { keyAt, value: isNull(value) ? scalar("", value.at) : value });
  }
  let settled = withoutEntries(service, ["env_file", "label_file"]);
  if (variables.size > 0) {
    settled = withEntry(
      settled,
      "environment",
      lookUp(variables, environment, own?.at ?? service.at),
    );
  }
  if (labels.size > 0) {
    const at = ownLabels?.at ?? service.at;
    settled = withEntry(settled, "labels", { kind: "map", entries: labels, at });
  }
  return settled;
}

function itemsOf(node: Tree | undefined): readonly Tree[] {
  return node?.kind === "list" ? node.items : [];
}

async function readVariables(
  run: Run,
  file: Tree,
  environment: Environment,
  variables: Map<string, Entry>,
): Promise<void> {
  const path = textOf(child(file, "path")) ?? "";
  const at = child(file, "path")?.at ?? file.at;
  const text = await readInput(run, path, at);
  if (text === undefined) {
    if (textOf(child(file, "required")) === "false") return;
    throw refuse(
      composeErrors["file-unreadable"],
      `env_file names ${path}, which does not exist`,
      at,
    );
  }
  const raw = textOf(child(file, "format")) === "raw";
  const known = new Map(environment);
  for (const [name, { value }] of variables) {
    const before = textOf(value);
    if (before !== undefined && !known.has(name)) known.set(name, before);
  }
  for (const entry of parseEnvFile(text, path, { environment: known, raw })) {
    const value = entry.value ?? environment.get(entry.name);
    // A bare name in a file that the environment does not have says nothing.
    if (value === undefined) continue;
    variables.set(entry.name, { keyAt: entry.at, value: scalar(value, entry.at) });
  }
}

function lookUp(
  variables: ReadonlyMap<string, Entry>,
  environment: Environment,
  at: Location,
): MapNode {
  const entries = new Map<string, Entry>();
  for (const [name, { keyAt, value }] of variables) {
    const found = isNull(value) ? scalar(environment.get(name) ?? null, value.at) : value;
    entries.set(name, { keyAt, value: found });
  }
  return { kind: "map", entries, at };
}

/** Empty build arguments, looked up in the environment; what it does not have is left out. */
export function lookUpArguments(service: MapNode, environment: Environment): MapNode {
  const build = child(service, "build");
  const args = child(build, "args");
  if (build?.kind !== "map" || args?.kind !== "map") return service;
  const known = mapEntries(args, (value, name) => {
    if (!isNull(value)) return value;
    const found = environment.get(name);
    return found === undefined ? undefined : scalar(found, value.at);
  });
  return withEntry(service, "build", withEntry(build, "args", known));
}

/** What a service depends on without saying so: shared namespaces, taken-over mounts, links. */
export function addImpliedDependencies(service: MapNode): MapNode {
  const implied = new Map<string, { at: Location; restart: boolean }>();
  for (const key of ["network_mode", "pid", "ipc"]) {
    const node = child(service, key);
    const name = /^service:(.+)$/.exec(textOf(node) ?? "")?.[1];
    if (name !== undefined && node !== undefined) implied.set(name, { at: node.at, restart: true });
  }
  for (const item of itemsOf(child(service, "volumes_from"))) {
    const [name = "", rest] = (textOf(item) ?? "").split(":");
    if (name !== "container" || rest === undefined)
      implied.set(name, { at: item.at, restart: false });
  }
  for (const item of itemsOf(child(service, "links"))) {
    const [name = ""] = (textOf(item) ?? "").split(":");
    implied.set(name, { at: item.at, restart: false });
  }
  const written = child(service, "depends_on");
  const before = written?.kind === "map" ? written : map({}, service.at);
  const entries = new Map<string, Entry>();
  for (const [name, { keyAt, value }] of before.entries) {
    const node = value.kind === "map" ? value : map({}, keyAt);
    const filled =
      child(node, "required") === undefined
        ? withEntry(node, "required", scalar(true, keyAt))
        : node;
    entries.set(name, { keyAt, value: filled });
  }
  for (const [name, { at, restart }] of implied) {
    if (entries.has(name)) continue;
    const value = map(
      { condition: "service_started", restart: restart ? true : undefined, required: true },
      at,
    );
    entries.set(name, { keyAt: at, value });
  }
  return entries.size === 0 ? service : withEntry(service, "depends_on", { ...before, entries });
}

/** Defaults that `docker compose config` writes out: the network `default`, the Dockerfile. */
export function addDefaults(service: MapNode, directory: string): MapNode {
  let settled = service;
  const networks = child(service, "networks");
  const none = networks === undefined || (networks.kind === "map" && networks.entries.size === 0);
  if (none && child(service, "network_mode") === undefined) {
    settled = withEntry(settled, "networks", map({ default: null }, service.at));
  }
  const build = child(settled, "build");
  if (build?.kind === "map") {
    const context = child(build, "context") ?? scalar(directory, build.at);
    let filled = withEntry(build, "context", context);
    const named = child(build, "dockerfile") ?? child(build, "dockerfile_inline");
    if (named === undefined)
      filled = withEntry(filled, "dockerfile", scalar("Dockerfile", build.at));
    settled = withEntry(settled, "build", filled);
  }
  return settled;
}
