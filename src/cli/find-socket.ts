// SPDX-License-Identifier: Apache-2.0
// Which node a command asks: the one at the socket that it is told, or that this host's settings file names.
import { FairleadError } from "#base/errors.ts";
import { defaultRuntimeDir, defaultSettingsFile } from "#config/default-paths.ts";
import type { World } from "./context.ts";
import type { Parsed } from "./parsed.ts";
import { readIfThere } from "./read-if-there.ts";

/** The path of a socket, and why it may be another, when the settings file cannot be read. */
export interface FoundSocket {
  readonly socket: string;
  readonly problem?: FairleadError;
}

/** Only a file that has the word is worth what loading its parser costs each command. */
async function readFromFile(path: string): Promise<string | undefined> {
  const text = readIfThere(path);
  if (text?.includes("socket") !== true) return undefined;
  const { parseSettingsFile } = await import("#config/settings-file.ts");
  const found = parseSettingsFile(path, text).entries.find((entry) => entry.path === "socket");
  return typeof found?.value === "string" ? found.value : undefined;
}

/** `--socket`, FAIRLEAD_SOCKET, `socket` of the settings file, and where a node has it by default. Never throws. */
export async function findSocket(parsed: Parsed, world: World): Promise<FoundSocket> {
  const named = parsed.text("socket") ?? world.env["FAIRLEAD_SOCKET"];
  if (named !== undefined) return { socket: named };
  const otherwise = `${defaultRuntimeDir(world)}/fairlead.sock`;
  const file = parsed.text("config") ?? world.env["FAIRLEAD_CONFIG"] ?? defaultSettingsFile(world);
  try {
    return { socket: (await readFromFile(file)) ?? otherwise };
  } catch (thrown) {
    return { socket: otherwise, problem: FairleadError.from(thrown) };
  }
}
