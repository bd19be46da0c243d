// SPDX-License-Identifier: Apache-2.0
import type { Location } from "#base/errors.ts";
import { canonicalise } from "./canonicalise.ts";
import { composeErrors } from "./errors.ts";
import { refuse } from "./findings.ts";
import { type Environment, interpolateFile } from "./interpolate-tree.ts";
import { parseTrees } from "./parse-tree.ts";
import { resolvePath } from "./path-text.ts";
import { resolvePaths } from "./resolve-paths.ts";
import type { Run } from "./run.ts";
import { project } from "./schema/project.ts";
import type { MapNode } from "./tree.ts";

/** Where a file's variables and relative paths come from. */
export interface Place {
  /** Absolute. */
  readonly directory: string;
  readonly environment: Environment;
  /** The files that lead here by include, the outermost first. */
  readonly chain: readonly string[];
}

/** The documents of a file, interpolated and canonical; paths as written. */
export function readDocuments(run: Run, text: string, file: string, place: Place): MapNode[] {
  return parseTrees(text, file).map((tree) => {
    if (tree.kind !== "map") throw notAMapping(tree.at);
    const interpolated = interpolateFile(tree, place.environment, run.findings);
    const canonical = canonicalise(interpolated, project, "", run.findings);
    if (canonical.kind !== "map") throw notAMapping(tree.at);
    return canonical;
  });
}

function notAMapping(at: Location): Error {
  return refuse(composeErrors["wrong-type"], "a Compose file has to be a mapping", at);
}

/** The file with absolute paths. */
export function resolveTree(run: Run, tree: MapNode, directory: string): MapNode {
  const resolved = resolvePaths(tree, project, (path) => resolvePath(directory, path, run.home));
  return resolved.kind === "map" ? resolved : tree;
}
