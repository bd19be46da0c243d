// SPDX-License-Identifier: Apache-2.0
// Compose files → effective project. Pure but for the reading, which comes in as a FileSource.
import type { Location } from "#base/errors.ts";
import { applyLabels } from "./apply-labels.ts";
import { checkProject } from "./check-project.ts";
import { composeErrors } from "./errors.ts";
import { createFindings, type Findings, refuse } from "./findings.ts";
import type { Environment } from "./interpolate-tree.ts";
import { interpolate } from "./interpolate.ts";
import { loadFile } from "./load-file.ts";
import { mergeTrees, pruneTags } from "./merge-trees.ts";
import { parseEnvFile } from "./parse-env-file.ts";
import { parseTrees } from "./parse-tree.ts";
import { lastPart, normalisePath } from "./path-text.ts";
import { createOrigins, type LoadResult, toProject } from "./project.ts";
import { readInput, readNamed, type Run } from "./run.ts";
import { project as projectShape } from "./schema/project.ts";
import { selectProfiles } from "./select-profiles.ts";
import { settleResources } from "./settle-resources.ts";
import {
  addDefaults,
  addImpliedDependencies,
  lookUpArguments,
  readServiceFiles,
} from "./settle-services.ts";
import type { FileSource } from "./source.ts";
import { child, type Entry, map, type MapNode, textOf, withEntry, withoutEntries } from "./tree.ts";

/** What is loaded, and from where. */
export interface LoadOptions {
  /** Absolute paths, in order; each later one changes the earlier ones. */
  readonly files: readonly string[];
  /** Absolute directory that relative paths start from, and the only one that Compose input is read from. */
  readonly projectDirectory: string;
  /** Wins over COMPOSE_PROJECT_NAME, the file's `name` and the name of the directory, in this order. */
  readonly projectName?: string;
  /** Active profiles, with those of COMPOSE_PROFILES; `*` is all. */
  readonly profiles: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute paths of variable files; default `.env` in the project directory when there is one. */
  readonly envFiles?: readonly string[];
  /** Further directories that Compose input may come from. */
  readonly allowOutside?: readonly string[];
}

/**
 * Reads, merges, checks. Throws a ComposeFailure that carries every problem found, each with file, line and column;
 * a refused set of files changes nothing anywhere.
 */
export async function loadProject(options: LoadOptions, source: FileSource): Promise<LoadResult> {
  const findings = createFindings();
  const run = await startRun(options, source, findings);
  const variables = await readEnvironment(run, options);
  const texts: { file: string; text: string }[] = [];
  for (const file of options.files.map(normalisePath)) {
    texts.push({ file, text: await readNamed(run, file) });
  }
  const name = chooseName(options, variables, texts);
  const environment = new Map([["COMPOSE_PROJECT_NAME", name], ...variables]);
  const directory = normalisePath(options.projectDirectory);
  let merged: MapNode = map({}, { file: texts[0]?.file ?? directory, line: 1, column: 1 });
  for (const { file, text } of texts) {
    const next = await loadFile(run, text, file, { directory, environment, chain: [file] });
    const both = mergeTrees(merged, next, projectShape);
    if (both?.kind === "map") merged = both;
  }
  findings.throwIfAny();
  const profiles = [...options.profiles, ...(environment.get("COMPOSE_PROFILES") ?? "").split(",")];
  const { tree, inactive } = selectProfiles(asMap(pruneTags(merged), merged), profiles);
  const settled = settleResources(await settleServices(run, tree, environment, directory), name);
  checkProject(settled, inactive, findings);
  findings.throwIfAny();
  return {
    project: toProject(settled, name),
    projectDirectory: directory,
    diagnostics: findings.warnings,
    origins: createOrigins(settled),
    files: run.files,
    roots: run.roots,
    inactive: [...inactive.keys()],
    environment,
  };
}

function asMap(node: ReturnType<typeof pruneTags>, otherwise: MapNode): MapNode {
  return node.kind === "map" ? node : otherwise;
}

async function startRun(
  options: LoadOptions,
  source: FileSource,
  findings: Findings,
): Promise<Run> {
  const roots: string[] = [];
  for (const path of [options.projectDirectory, ...(options.allowOutside ?? [])]) {
    const normal = normalisePath(path);
    roots.push((await source.realPath(normal)) ?? normal);
  }
  const home = options.environment["HOME"];
  return { source, findings, roots, home, files: [], readCount: 0 };
}

async function readEnvironment(run: Run, options: LoadOptions): Promise<Environment> {
  const own = new Map(Object.entries(options.environment));
  const found = new Map<string, string>();
  const standard = normalisePath(`${options.projectDirectory}/.env`);
  for (const file of options.envFiles ?? [standard]) {
    const text =
      options.envFiles === undefined
        ? await readInput(run, file, undefined)
        : await readNamed(run, file);
    if (text === undefined) continue;
    for (const entry of parseEnvFile(text, file, { environment: own })) {
      if (entry.value !== undefined) found.set(entry.name, entry.value);
    }
  }
  return new Map([...found, ...own]);
}

const PROJECT_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

function chooseName(
  options: LoadOptions,
  environment: Environment,
  texts: readonly { file: string; text: string }[],
): string {
  const given = options.projectName ?? environment.get("COMPOSE_PROJECT_NAME");
  if (given !== undefined && given !== "") return checkName(given, undefined);
  let written: { name: string; at: Location } | undefined;
  for (const { file, text } of texts) {
    // Reading a large file twice costs; most have no name of their own.
    if (!/(?:^|[{,])\s*["']?name["']?\s*:/m.test(text)) continue;
    for (const tree of parseTrees(text, file)) {
      const node = child(tree, "name");
      const name = textOf(node);
      if (node === undefined || name === undefined) continue;
      // A problem in the template is reported with its place when the file itself is read.
      const lookup = (wanted: string): string | undefined => environment.get(wanted);
      written = { name: attemptTemplate(name, lookup), at: node.at };
    }
  }
  if (written !== undefined && written.name !== "") return checkName(written.name, written.at);
  const derived = lastPart(normalisePath(options.projectDirectory))
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "")
    .slice(0, 63);
  return derived === "" ? "default" : derived;
}

function attemptTemplate(template: string, lookup: (name: string) => string | undefined): string {
  try {
    return interpolate(template, { lookup, onUnset: () => {} });
  } catch {
    return "";
  }
}

function checkName(name: string, at: Location | undefined): string {
  if (PROJECT_NAME.test(name)) return name;
  throw refuse(
    composeErrors["bad-name"],
    `"${name}" is not a name of a project: lower-case letters, digits, - and _, at most 63, beginning with a letter or digit`,
    at,
  );
}

async function settleServices(
  run: Run,
  tree: MapNode,
  environment: Environment,
  directory: string,
): Promise<MapNode> {
  const services = child(tree, "services");
  if (services?.kind !== "map") return tree;
  const common = child(tree, "x-fairlead");
  const entries = new Map<string, Entry>();
  for (const [name, { keyAt, value }] of services.entries) {
    if (value.kind !== "map") continue;
    const read = lookUpArguments(await readServiceFiles(run, value, environment), environment);
    const labelled = applyLabels(read, common, run.findings);
    const complete = addDefaults(addImpliedDependencies(labelled), directory);
    entries.set(name, { keyAt, value: withoutEntries(complete, ["extends"]) });
  }
  return withEntry(tree, "services", { ...services, entries });
}
