// SPDX-License-Identifier: Apache-2.0
// A path of programs without some of those that this machine has, for hosts that lack them.
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** Links all programs of the path into a directory but those that are lacking; `instead` gives some another's place. Returns the directory. */
export function linkLackingPath(
  directory: string,
  lacks: (name: string) => boolean,
  instead: Readonly<Record<string, string>> = {},
): string {
  mkdirSync(directory, { recursive: true });
  const found = new Map<string, string>();
  for (const one of (process.env["PATH"] ?? "").split(":").toReversed())
    for (const name of existsSync(one) ? readdirSync(one) : []) found.set(name, join(one, name));
  for (const [name, other] of Object.entries(instead)) {
    const target = found.get(other);
    if (target === undefined) throw new Error(`this machine has no ${other}`);
    found.set(name, target);
  }
  for (const [name, target] of found) if (!lacks(name)) symlinkSync(target, join(directory, name));
  return directory;
}
