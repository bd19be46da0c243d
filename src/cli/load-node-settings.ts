// SPDX-License-Identifier: Apache-2.0
import { hostname } from "node:os";
import { type LoadedSettings, type LoadOptions, loadSettings } from "#config/load-settings.ts";
import type { World } from "./context.ts";
import { readIfThere } from "./read-if-there.ts";

/** The settings that a node started from here has. Flags and their names are by dotted path, see `LoadOptions`. */
export function loadNodeSettings(
  world: World,
  flags: Readonly<Record<string, string>>,
  {
    file,
    flagNames = {},
  }: { readonly file?: string | undefined } & Pick<LoadOptions, "flagNames"> = {},
): LoadedSettings {
  return loadSettings({
    env: world.env,
    uid: world.uid,
    hostName: hostname(),
    flags,
    flagNames,
    readFile: readIfThere,
    ...(file === undefined ? {} : { file }),
  });
}
