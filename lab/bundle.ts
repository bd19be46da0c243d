// SPDX-License-Identifier: Apache-2.0
// A program and all that it imports in one file, so that it runs in an image that has nothing but Node.
import { build } from "vite";

/** Bundles an ES module for Node. `entry`: path of a .ts file. */
export async function bundleProgram(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: { ssr: entry, write: false, target: "node20", minify: false },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) =>
    "output" in one ? one.output : [],
  );
  const chunks = outputs.filter((one) => one.type === "chunk");
  const [chunk] = chunks;
  if (chunk === undefined || chunks.length !== 1)
    throw new Error(`${entry} became ${chunks.length} files, not one`);
  return chunk.code;
}
