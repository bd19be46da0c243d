// SPDX-License-Identifier: Apache-2.0
// POSIX paths as text: this room may not use node:path, and Compose files mean POSIX paths anyway.

/** `/a/./b/../c` → `/a/c`. Absolute paths only keep what is below the root. */
export function normalisePath(path: string): string {
  const absolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!absolute) parts.push(part);
  }
  const joined = parts.join("/");
  return absolute ? `/${joined}` : joined === "" ? "." : joined;
}

/** `path` seen from `directory`; `~` is the home directory when one is known. */
export function resolvePath(directory: string, path: string, home?: string): string {
  if (home !== undefined && (path === "~" || path.startsWith("~/"))) {
    return normalisePath(`${home}${path.slice(1)}`);
  }
  return normalisePath(path.startsWith("/") ? path : `${directory}/${path}`);
}

/** The directory that a path lies in. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf("/");
  if (at < 0) return ".";
  return at === 0 ? "/" : path.slice(0, at);
}

/** The last part of a path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether `path` is `directory` or below it; both normalised. */
export function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
