// SPDX-License-Identifier: Apache-2.0
import { loadProject, type LoadOptions } from "#compose/load-project.ts";
import type { LoadResult } from "#compose/project.ts";
import { createMemorySource } from "#compose/source.ts";

/** The directory that texts are loaded in. */
export const DIRECTORY = "/srv/shop";

/** Loads Compose texts from memory: `compose.yaml` is the first file, others are named by their path in the project. */
export function loadText(
  text: string,
  more: Readonly<Record<string, string>> = {},
  options: Partial<LoadOptions> = {},
  links: Readonly<Record<string, string>> = {},
): Promise<LoadResult> {
  const files: Record<string, string> = { [`${DIRECTORY}/compose.yaml`]: text };
  for (const [path, content] of Object.entries(more)) {
    files[path.startsWith("/") ? path : `${DIRECTORY}/${path}`] = content;
  }
  return loadProject(
    {
      files: [`${DIRECTORY}/compose.yaml`],
      projectDirectory: DIRECTORY,
      profiles: [],
      environment: {},
      ...options,
    },
    createMemorySource(files, links),
  );
}
