// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type LoadedSettings, loadSettings } from "#config/load-settings.ts";
import type { World } from "./context.ts";

/** The text of a file, or undefined when there is none. Throws when it cannot be read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}

/** The settings that a node started from here has. Flags are dotted paths to texts. */
export function loadNodeSettings(
  world: World,
  flags: Readonly<Record<string, string>>,
  file?: string,
): LoadedSettings {
  return loadSettings({
    env: world.env,
    uid: world.uid,
    hostName: hostname(),
    flags,
    readFile: readIfThere,
    ...(file === undefined ? {} : { file }),
  });
}
