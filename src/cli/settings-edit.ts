// SPDX-License-Identifier: Apache-2.0
// Changes the settings file that a node started from here reads. What can be refused is refused before anything is written.
import { accessSync, constants, mkdirSync, readFileSync, realpathSync, renameSync } from "node:fs";
import { existsSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { FairleadError } from "#base/errors.ts";
import { defaultSettingsFile } from "#config/default-paths.ts";
import { editSettings, restoreSettings, type SettingChanges } from "#config/edit-settings.ts";
import type { LoadedSettings } from "#config/load-settings.ts";
import type { World } from "./context.ts";
import { cliErrors } from "./errors.ts";

/** A change that is prepared and not written. */
export interface SettingsEdit {
  readonly path: string;
  /** Whether writing it changes the file. */
  readonly isChange: boolean;
  /** What will stand in it; undefined for no file. */
  readonly text: string | undefined;
  write(): void;
}

/** The nearest directory above that exists. */
function findDirectory(path: string): string {
  return existsSync(path) ? path : findDirectory(dirname(path));
}

function checkWritable(path: string): void {
  const directory = findDirectory(dirname(path));
  try {
    accessSync(directory, constants.W_OK);
    if (existsSync(path)) accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new FairleadError(
      cliErrors["unreadable-file"],
      `the settings in ${path} cannot be written`,
      {
        cause,
        facts: { because: cause instanceof Error ? cause.message : String(cause) },
        remedy: "run the command as the user that started the node, or with sudo",
      },
    );
  }
}

/** Whole or not at all, with the rights that it had. */
function replaceFile(path: string, text: string): void {
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o644;
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, path);
}

/** With the directory that was made for it, when nothing else is in it. */
function removeFile(path: string): void {
  rmSync(path, { force: true });
  const directory = dirname(path);
  if (readdirSync(directory).length === 0) rmdirSync(directory);
}

/** The text is undefined where there is no file. */
function findFile(
  world: World,
  { file }: LoadedSettings,
): { path: string; text: string | undefined } {
  const path = file ?? defaultSettingsFile(world);
  if (!existsSync(path)) return { path, text: undefined };
  const real = realpathSync(path);
  return { path: real, text: readFileSync(real, "utf8") };
}

/** Refuses what a variable of the environment would undo. Throws FL0624 `setting-fixed`. */
export function refuseFixed({ origins }: LoadedSettings, paths: readonly string[]): void {
  for (const path of paths) {
    const origin = origins[path] ?? "";
    if (!origin.startsWith("FAIRLEAD_")) continue;
    throw new FairleadError(cliErrors["setting-fixed"], `${origin} sets ${path}`);
  }
}

/** Prepares to set values. Throws FL0624, and FL0608 when the file cannot be written. */
export function prepareEdit(
  world: World,
  loaded: LoadedSettings,
  changes: SettingChanges,
): SettingsEdit {
  refuseFixed(loaded, Object.keys(changes));
  const { path, text } = findFile(world, loaded);
  checkWritable(path);
  const edited = editSettings(text, changes);
  const write = (): void => replaceFile(path, edited);
  return { path, isChange: edited !== text, text: edited, write };
}

/** Prepares to take back what was set by a join. Throws FL0608 when the file cannot be written. */
export function prepareRestore(world: World, loaded: LoadedSettings): SettingsEdit {
  const { path, text } = findFile(world, loaded);
  checkWritable(path);
  const restored = text === undefined ? undefined : restoreSettings(text);
  return {
    path,
    isChange: restored !== text,
    text: restored,
    write() {
      if (restored === text) return;
      if (restored === undefined) removeFile(path);
      else replaceFile(path, restored);
    },
  };
}
