// SPDX-License-Identifier: Apache-2.0
// What a build may send to the engine: only what lies where the other inputs of a project may lie, links resolved.
import { isAbsolute, join, relative } from "node:path";
import type { BuildIntent, Intent, ServiceIntent } from "@fairlead/protocol/intent.ts";
import { FairleadError } from "#base/errors.ts";
import type { LoadResult } from "#compose/project.ts";
import { locateInput } from "#compose/run.ts";
import { cliErrors } from "./errors.ts";
import { createDiskSource } from "./file-source.ts";

type Guard = (wanted: string, key: string) => Promise<string | undefined>;

function refuseMissing({ at, name }: ServiceIntent, { context }: BuildIntent): FairleadError {
  return new FairleadError(
    cliErrors["unreadable-file"],
    `the build context of ${name} is not there`,
    {
      facts: { context },
      location: { file: at.file, ...(at.line === undefined ? {} : { line: at.line }) },
    },
  );
}

/** The build with its links resolved, so that what was looked at is what is read. */
async function guardBuild(
  service: ServiceIntent,
  build: BuildIntent,
  guard: Guard,
): Promise<BuildIntent> {
  const context = await guard(build.context, "context");
  if (context === undefined) throw refuseMissing(service, build);
  await guard(join(context, ".dockerignore"), "context");
  if (build.dockerfileInline !== undefined) return { ...build, context };
  const { dockerfile } = build;
  const path = isAbsolute(dockerfile) ? dockerfile : join(build.context, dockerfile);
  await guard(`${path}.dockerignore`, "dockerfile");
  const file = await guard(path, "dockerfile");
  const outside = file !== undefined && relative(context, file).startsWith("..");
  return { ...build, context, dockerfile: outside ? file : dockerfile };
}

/**
 * The intent with its builds checked and their links resolved. Throws FL0216 for a context, a Dockerfile or a file of
 * exceptions outside of the project's directories, FL0608 for a context that is not there: before anything is asked for.
 */
export async function guardBuilds(intent: Intent, loaded: LoadResult): Promise<Intent> {
  const place = { source: createDiskSource(), roots: loaded.roots };
  const services = intent.services.map(async (service) => {
    const { build } = service;
    if (build === undefined || !isAbsolute(build.context)) return service;
    const guard: Guard = (wanted, key) => {
      const at =
        loaded.origins.find(["services", service.name, "build", key]) ??
        loaded.origins.findNear(["services", service.name, "build"]);
      return locateInput(place, wanted, at);
    };
    return { ...service, build: await guardBuild(service, build, guard) };
  });
  return { ...intent, services: await Promise.all(services) };
}
