// SPDX-License-Identifier: Apache-2.0
// Which scope a command means: the one named, else the Compose project of the directory, else all.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";

const NAMES = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/** The directory, at or above `directory`, that has a Compose file, with its file and the override beside it. */
export function findComposeFiles(
  directory: string,
): { readonly directory: string; readonly files: readonly string[] } | undefined {
  for (const name of NAMES) {
    const file = join(directory, name);
    if (!existsSync(file)) continue;
    const override = NAMES.map((other) =>
      join(directory, other.replace(/\.(ya?ml)$/, ".override.$1")),
    ).find(existsSync);
    return { directory, files: override === undefined ? [file] : [file, override] };
  }
  const above = dirname(directory);
  return above === directory ? undefined : findComposeFiles(above);
}

/** A directory's name as Compose makes a project's name of it. */
function normalizeProjectName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
}

function readVariable(directory: string): string | undefined {
  const file = join(directory, ".env");
  if (!existsSync(file)) return undefined;
  return /^\s*(?:export\s+)?COMPOSE_PROJECT_NAME\s*=\s*["']?([a-z0-9_-]+)/m.exec(
    readFileSync(file, "utf8"),
  )?.[1];
}

/** The project's name, without loading the whole project: this is on every command's way. */
function guessName(directory: string, file: string, context: Context): string {
  const named = context.env["COMPOSE_PROJECT_NAME"] || readVariable(directory);
  if (named !== undefined) return named;
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const written = /^name:\s*["']?([a-z0-9_-]+)["']?\s*(?:#.*)?$/m.exec(text)?.[1];
  return written ?? normalizeProjectName(basename(directory));
}

function guessProject(context: Context): string | undefined {
  const found = findComposeFiles(context.cwd);
  const [file] = found?.files ?? [];
  if (found !== undefined && file !== undefined) return guessName(found.directory, file, context);
  return context.env["COMPOSE_PROJECT_NAME"] || undefined;
}

/** The scope of the project that the flags of `up` name. Throws FL0606, FL0609. */
export function findProjectScope(context: Context): string {
  const { cwd, parsed } = context;
  const [file] = parsed.list("file");
  const named = parsed.text("project-name");
  const scope = parsed.text("scope");
  if (named !== undefined && scope !== undefined && named !== scope) {
    throw new FairleadError(
      cliErrors["conflicting-flags"],
      "--scope and --project-name name two scopes",
    );
  }
  if (named !== undefined) return named;
  if (scope !== undefined || file === undefined) return needScope(context);
  const path = resolve(cwd, file);
  const directory = parsed.text("project-directory");
  return guessName(
    directory === undefined ? dirname(path) : resolve(cwd, directory),
    path,
    context,
  );
}

/** The scope to ask about, or undefined for all. Throws FL0606 for both --scope and -A. */
export function findScope(context: Context): string | undefined {
  const { parsed, env } = context;
  const named = parsed.text("scope");
  if (named !== undefined && parsed.has("all")) {
    throw new FairleadError(
      cliErrors["conflicting-flags"],
      "--scope names one scope and -A means all",
    );
  }
  if (parsed.has("all")) return undefined;
  return named ?? env["FAIRLEAD_SCOPE"] ?? guessProject(context);
}

/** True when the scope was not named but follows from the directory: then it may be one that no node knows yet. */
export function isGuessedScope(context: Context): boolean {
  return context.parsed.text("scope") === undefined && context.env["FAIRLEAD_SCOPE"] === undefined;
}

/** The scope to act on. Throws FL0609 when none is named and the directory has no Compose file. */
export function needScope(context: Context): string {
  const scope = findScope(context);
  if (scope !== undefined && scope !== "") return scope;
  throw new FairleadError(
    cliErrors["no-scope"],
    "no scope is named and this directory has no Compose file",
  );
}
