// SPDX-License-Identifier: Apache-2.0
import { normalisePath } from "./path-text.ts";

/** Where Compose files are read from. All paths are absolute. Implementations never write. */
export interface FileSource {
  /**
   * The text of a file, UTF-8, at most `sizeMaxBytes`; undefined when there is no such file.
   * A longer file is cut after `sizeMaxBytes + 1` bytes, so that the caller sees that it is too long.
   */
  readText(path: string, sizeMaxBytes: number): Promise<string | undefined>;
  /** The path with every symbolic link resolved; undefined when nothing is there. */
  realPath(path: string): Promise<string | undefined>;
  isDirectory(path: string): Promise<boolean>;
}

/** A source for tests and for text that is already in memory. `links` maps a path to what it points to. */
export function createMemorySource(
  files: Readonly<Record<string, string>>,
  links: Readonly<Record<string, string>> = {},
): FileSource {
  const texts = new Map(Object.entries(files).map(([path, text]) => [normalisePath(path), text]));
  function follow(path: string): string {
    let current = normalisePath(path);
    for (let hops = 0; hops < 40; hops++) {
      const link = Object.keys(links).find((l) => current === l || current.startsWith(`${l}/`));
      if (link === undefined) return current;
      current = normalisePath(`${links[link] ?? ""}${current.slice(link.length)}`);
    }
    return current;
  }
  function isDirectory(path: string): boolean {
    const prefix = path === "/" ? "/" : `${path}/`;
    return [...texts.keys()].some((known) => known.startsWith(prefix));
  }
  return {
    readText: async (path, sizeMaxBytes) => texts.get(follow(path))?.slice(0, sizeMaxBytes + 1),
    async realPath(path) {
      const real = follow(path);
      return texts.has(real) || isDirectory(real) ? real : undefined;
    },
    isDirectory: async (path) => isDirectory(follow(path)),
  };
}
