// SPDX-License-Identifier: Apache-2.0
import { hostname } from "node:os";
import { type LoadedSettings, loadSettings } from "#config/load-settings.ts";
import type { World } from "./context.ts";
import { readIfThere } from "./read-if-there.ts";

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
