// SPDX-License-Identifier: Apache-2.0
// What Fairlead has made on this host beside containers: files of the node, and of the user's commands.
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  listMadeDirectories,
  listNodeFiles,
  locateNodeFiles,
  type NodePlaces,
} from "#config/node-files.ts";
import type { World } from "./context.ts";
import { locateSilences } from "./doctor/silences.ts";
import { locateNames } from "./name-cache.ts";

export interface OwnFiles {
  readonly files: readonly string[];
  /** Made for them, the inner ones first; removed when nothing else is in them. */
  readonly directories: readonly string[];
}

function listEntries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** A file and the drafts of it that a command which was killed has left. */
function listWithDrafts(path: string): string[] {
  const name = basename(path);
  return listEntries(dirname(path))
    .filter((entry) => entry === name || /^\.\d+$/.test(entry.slice(name.length)))
    .filter((entry) => entry.startsWith(name))
    .map((entry) => join(dirname(path), entry));
}

/** What exists of it now. */
export function listOwnFiles(world: Pick<World, "env">, places: NodePlaces): OwnFiles {
  const node = locateNodeFiles(places);
  const users = [locateNames(world), locateSilences(world)].map((path) => ({
    files: listWithDrafts(path),
    directory: dirname(path),
  }));
  const made = listMadeDirectories(node);
  const homes = users.filter(({ files }) => files.length > 0).map(({ directory }) => directory);
  return {
    files: [...new Set([...listNodeFiles(node), ...users.flatMap(({ files }) => files)])],
    directories: [...new Set([...made, ...homes])].sort((a, b) => b.length - a.length),
  };
}

/** Removes it; returns what is left of it. A directory in which others have put something stays, with what they put there. */
export function removeOwnFiles({ files, directories }: OwnFiles): {
  readonly left: readonly string[];
  readonly kept: readonly string[];
} {
  const left: string[] = [];
  const kept: string[] = [];
  const attempt = (path: string, remove: () => void): void => {
    try {
      remove();
    } catch {
      left.push(path);
    }
  };
  for (const path of files) attempt(path, () => rmSync(path, { force: true }));
  for (const path of directories) {
    const entries = listEntries(path).map((entry) => join(path, entry));
    if (entries.length === 0) attempt(path, () => rmdirSync(path));
    else kept.push(...entries.filter((entry) => !directories.includes(entry)));
  }
  return { left, kept };
}
