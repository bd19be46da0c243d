// SPDX-License-Identifier: Apache-2.0
import { canonicalJson } from "#base/canonical-json.ts";
import type { Location } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { refuse } from "./findings.ts";
import type { Environment } from "./interpolate-tree.ts";
import { mergeTrees } from "./merge-trees.ts";
import { parseEnvFile } from "./parse-env-file.ts";
import { parentPath } from "./path-text.ts";
import type { Place } from "./read-documents.ts";
import { readInput, type Run } from "./run.ts";
import { project } from "./schema/project.ts";
import {
  child,
  list,
  map,
  type MapNode,
  textOf,
  toPlain,
  type Tree,
  withEntry,
  withoutEntries,
} from "./tree.ts";

const RESOURCES = ["services", "networks", "volumes", "configs", "secrets", "models"];
/** Longer chains are a mistake or an attack. */
const CHAIN_MAX = 50;

/** Loads one file with everything it takes over; handed in, since it includes files itself. */
type LoadFile = (run: Run, text: string, file: string, place: Place) => Promise<MapNode>;

/**
 * The file together with what it includes; its own paths are absolute already. Throws cycle, include-conflict, and what
 * reading throws.
 */
export async function applyIncludes(
  run: Run,
  tree: MapNode,
  place: Place,
  loadFile: LoadFile,
): Promise<MapNode> {
  const includes = child(tree, "include");
  let whole = withoutEntries(tree, ["include"]);
  if (includes?.kind !== "list") return whole;
  for (const item of includes.items) {
    whole = takeOver(whole, await loadIncluded(run, item, place, loadFile));
  }
  return whole;
}

async function loadIncluded(
  run: Run,
  item: Tree,
  place: Place,
  loadFile: LoadFile,
): Promise<MapNode> {
  const paths = listTexts(child(item, "path"));
  const [first] = paths;
  if (first === undefined) {
    throw refuse(composeErrors["wrong-type"], "an include needs a path", item.at);
  }
  const directory = textOf(child(item, "project_directory")) ?? parentPath(first.path);
  // All paths are guarded before anything else is looked at.
  const texts: { path: string; text: string }[] = [];
  for (const { path, at } of paths)
    texts.push({ path, text: await readIncluded(run, path, at, place) });
  const environment = await readEnvironment(run, item, directory, place);
  let whole: MapNode = map({}, item.at);
  for (const { path, text } of texts) {
    const inner = { directory, environment, chain: [...place.chain, path] };
    const merged = mergeTrees(whole, await loadFile(run, text, path, inner), project);
    if (merged?.kind === "map") whole = merged;
  }
  return whole;
}

async function readIncluded(run: Run, path: string, at: Location, place: Place): Promise<string> {
  const start = place.chain.indexOf(path);
  if (start >= 0) {
    const circle = [...place.chain.slice(start), path].join(" → ");
    throw refuse(composeErrors["cycle"], `files include each other: ${circle}`, at);
  }
  if (place.chain.length >= CHAIN_MAX) {
    throw refuse(composeErrors["too-big"], `includes are nested deeper than ${CHAIN_MAX}`, at);
  }
  const text = await readInput(run, path, at);
  if (text !== undefined) return text;
  throw refuse(composeErrors["file-unreadable"], `include names ${path}, which does not exist`, at);
}

function listTexts(node: Tree | undefined): { path: string; at: Location }[] {
  const items = node?.kind === "list" ? node.items : [];
  return items.flatMap((item) => {
    const path = textOf(item);
    return path === undefined ? [] : [{ path, at: item.at }];
  });
}

/** Variables of the includer win over those of the included directory's env file, which are only defaults. */
async function readEnvironment(
  run: Run,
  item: Tree,
  directory: string,
  place: Place,
): Promise<Environment> {
  const named = child(item, "env_file");
  const files = named === undefined ? list([], item.at) : named;
  const wanted = listTexts(files);
  const environment = new Map(place.environment);
  if (named === undefined) wanted.push({ path: `${directory}/.env`, at: item.at });
  const defaults = new Map<string, string>();
  for (const { path, at } of wanted) {
    const text = await readInput(run, path, at);
    if (text === undefined) {
      if (named === undefined) continue;
      throw refuse(
        composeErrors["file-unreadable"],
        `env_file names ${path}, which does not exist`,
        at,
      );
    }
    for (const entry of parseEnvFile(text, path, { environment })) {
      if (entry.value !== undefined) defaults.set(entry.name, entry.value);
    }
  }
  return new Map([...defaults, ...environment]);
}

/** `own` with the resources of `included`; the same thing in both, and different, is refused. */
function takeOver(own: MapNode, included: MapNode): MapNode {
  let whole = own;
  for (const section of RESOURCES) {
    const theirs = child(included, section);
    if (theirs?.kind !== "map") continue;
    const ours = child(whole, section);
    if (ours?.kind !== "map") {
      whole = withEntry(whole, section, theirs);
      continue;
    }
    const entries = new Map(ours.entries);
    for (const [key, entry] of theirs.entries) {
      const mine = entries.get(key);
      if (mine === undefined) entries.set(key, entry);
      else if (canonicalJson(toPlain(mine.value)) !== canonicalJson(toPlain(entry.value))) {
        throw refuse(
          composeErrors["include-conflict"],
          `${section}.${key} is also defined in the included file ${entry.keyAt.file} line ${entry.keyAt.line ?? 0}`,
          mine.keyAt,
        );
      }
    }
    whole = withEntry(whole, section, { ...ours, entries });
  }
  return whole;
}
