// SPDX-License-Identifier: Apache-2.0
// From the flags of `up`, `plan` and `config` to what the node is asked for.
import { dirname, resolve } from "node:path";
import type { Intent } from "@fairlead/protocol/intent.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { compileIntent } from "#compose/compile-intent.ts";
import { loadProject } from "#compose/load-project.ts";
import type { LoadResult } from "#compose/project.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { createDiskSource } from "./file-source.ts";
import { findComposeFiles } from "./find-scope.ts";
import { guardBuilds } from "./guard-builds.ts";
import { readScale, refuseScale } from "./read-scale.ts";
import { renderDiagnostic } from "./service-warnings.ts";

/** The Compose files that the flags, COMPOSE_FILE or the directory name. Throws FL0607. */
function chooseFiles(context: Context): readonly string[] {
  const { cwd, env, parsed } = context;
  const named = parsed.list("file");
  if (named.length > 0) return named.map((file) => resolve(cwd, file));
  const listed = env["COMPOSE_FILE"];
  if (listed !== undefined && listed !== "") {
    return listed.split(env["COMPOSE_PATH_SEPARATOR"] ?? ":").map((file) => resolve(cwd, file));
  }
  const given = parsed.text("project-directory");
  const found = findComposeFiles(given === undefined ? cwd : resolve(cwd, given));
  if (found !== undefined) return found.files;
  throw new FairleadError(cliErrors["no-compose-file"], "there is no Compose file", {
    facts: {
      "looked in": `${cwd} and above`,
      for: "compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml",
    },
  });
}

function listEnvironment(context: Context): Record<string, string> {
  const entries = Object.entries(context.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

/** Loads the project. Throws FL0607 and what the Compose room throws. */
export async function loadComposeProject(context: Context): Promise<LoadResult> {
  const { cwd, parsed } = context;
  const files = chooseFiles(context);
  const [first = cwd] = files;
  const directory = parsed.text("project-directory");
  const projectName = parsed.text("project-name");
  const envFiles = parsed.list("env-file").map((file) => resolve(cwd, file));
  return loadProject(
    {
      files,
      projectDirectory: directory === undefined ? dirname(first) : resolve(cwd, directory),
      profiles: parsed.list("profile"),
      environment: listEnvironment(context),
      allowOutside: parsed.list("allow-path").map((path) => resolve(cwd, path)),
      ...(projectName === undefined ? {} : { projectName }),
      ...(envFiles.length === 0 ? {} : { envFiles }),
    },
    createDiskSource(),
  );
}

/** Prints what the files say without effect, on stderr. */
export function printWarnings(context: Context, diagnostics: Intent["diagnostics"]): void {
  const { noteStyle, warn } = context.out;
  for (const diagnostic of diagnostics) {
    warn(renderDiagnostic(diagnostic, (text) => noteStyle.paint(text, "warn")));
  }
}

/** The intent with the replicas that --scale asks for. Throws FL0605. */
function applyScale(intent: Intent, scales: readonly string[]): Intent {
  const wanted = new Map<string, number>();
  for (const text of scales) {
    const [name, count] = readScale(text);
    const service = intent.services.find((one) => one.name === name);
    if (service === undefined) {
      const nearest = findNearest(
        name,
        intent.services.map((one) => one.name),
      );
      throw refuseScale(
        text,
        `there is no service "${name}"`,
        nearest && `did you mean ${nearest}?`,
      );
    }
    if (service.fixedName !== undefined && count > 1) {
      throw refuseScale(text, `container_name ${service.fixedName} allows one instance only`);
    }
    wanted.set(name, count);
  }
  if (wanted.size === 0) return intent;
  const services = intent.services.map((one) => ({
    ...one,
    replicas: wanted.get(one.name) ?? one.replicas,
  }));
  return { ...intent, services };
}

/** What the node is asked for. Prints warnings; throws what the Compose room throws, FL0605, FL0607, FL0608. */
export async function loadIntent(context: Context): Promise<Intent> {
  const loaded = await loadComposeProject(context);
  const intent = compileIntent(loaded);
  printWarnings(context, intent.diagnostics);
  const guarded = await guardBuilds(intent, loaded);
  return applyScale(guarded, context.parsed.list("scale"));
}
