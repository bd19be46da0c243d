// SPDX-License-Identifier: Apache-2.0
// Serves the built page: the files that are there when the API starts, and nothing else.
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { FairleadError } from "#base/errors.ts";
import { apiErrors } from "./errors.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** Answers requests for the page's files. */
export interface PageFiles {
  /** Undefined when there is no such file. Throws FL0518 for `/` when the page is not built. */
  respond(path: string): Promise<Response | undefined>;
}

function listFiles(directory: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(directory.length).replaceAll("\\", "/");
    if (entry.isFile() && TYPES[extname(file)] !== undefined) files.set(path, file);
  }
  return files;
}

/** The files below `directory`, by the path they are asked for: no path from a request touches the disk. */
export function createPageFiles(directory: string | undefined): PageFiles {
  let files: ReadonlyMap<string, string> = new Map();
  function find(path: string): string | undefined {
    // The page may be built while the node runs.
    if (files.size === 0 && directory !== undefined) {
      try {
        files = listFiles(directory);
      } catch {
        return undefined;
      }
    }
    return files.get(path === "/" ? "/index.html" : path);
  }
  return {
    async respond(path) {
      const file = find(path);
      if (file === undefined) {
        if (path !== "/") return undefined;
        throw new FairleadError(apiErrors["page-not-built"], "this node has no page to show");
      }
      const hashed = path.startsWith("/assets/");
      return new Response(await readFile(file), {
        headers: {
          "content-type": TYPES[extname(file)] ?? "application/octet-stream",
          "cache-control": hashed ? "public, max-age=31536000, immutable" : "no-store",
        },
      });
    },
  };
}
