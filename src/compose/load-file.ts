// SPDX-License-Identifier: Apache-2.0
// One Compose file, with what it extends and includes, in canonical form and with absolute paths.
import { applyExtends } from "./apply-extends.ts";
import { applyIncludes } from "./apply-includes.ts";
import { mergeTrees } from "./merge-trees.ts";
import { type Place, readDocuments, resolveTree } from "./read-documents.ts";
import type { Run } from "./run.ts";
import { project } from "./schema/project.ts";
import { map, type MapNode } from "./tree.ts";

/** The documents of one file, each later one merged over the earlier. */
export async function loadFile(
  run: Run,
  text: string,
  file: string,
  place: Place,
): Promise<MapNode> {
  run.files.push(file);
  let whole: MapNode = map({}, { file, line: 1, column: 1 });
  for (const document of readDocuments(run, text, file, place)) {
    const extended = await applyExtends(run, document, file, place);
    const resolved = resolveTree(run, extended, place.directory);
    const included = await applyIncludes(run, resolved, place, loadFile);
    const merged = mergeTrees(whole, included, project);
    if (merged?.kind === "map") whole = merged;
  }
  return whole;
}
