// SPDX-License-Identifier: Apache-2.0
// Builds what `up` needs and the engine does not have, through the node.
import { Readable } from "node:stream";
import type { BuildIntent, Intent, ServiceIntent } from "@fairlead/protocol/intent.ts";
import type { BuildLine, ImagesAnswer } from "@fairlead/protocol/routes.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { openBuildContext } from "./build-context.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { cleanLogLine } from "./printable.ts";
import { readReason } from "./send-action.ts";

const BUILD_TYPE = "application/vnd.fairlead.build";

type Buildable = ServiceIntent & { readonly build: BuildIntent };

function canBuild(service: ServiceIntent): service is Buildable {
  return service.build !== undefined;
}

/** Services whose images have to be built before the scope can come up. */
export async function listBuilds(context: Context, intent: Intent): Promise<readonly Buildable[]> {
  if (context.parsed.has("no-build")) return [];
  const buildable = intent.services.filter(canBuild);
  if (context.parsed.has("build") || buildable.length === 0) return buildable;
  const references = [...new Set(buildable.map((service) => service.container.Image))];
  const { absent } = await context.api.call<ImagesAnswer>("POST", "images", {
    body: { references },
  });
  return buildable.filter(
    (service) => service.pull === "build" || absent.includes(service.container.Image),
  );
}

async function* joinParts(header: string, tar: Readable): AsyncGenerator<Buffer> {
  yield Buffer.from(`${header}\n`);
  for await (const chunk of tar) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
}

/** The intent with the build as the tar has it. */
function adaptIntent(intent: Intent, service: Buildable, dockerfile: string): Intent {
  const { dockerfileInline: _, ...build } = service.build;
  const services = intent.services.map((one) =>
    one.name === service.name ? { ...one, build: { ...build, dockerfile } } : one,
  );
  return { ...intent, services };
}

async function buildImage(context: Context, intent: Intent, service: Buildable): Promise<void> {
  const { api, out, signal } = context;
  out.note(`building ${service.container.Image} for ${service.name}`);
  using files = openBuildContext(service.build, signal);
  const adapted = adaptIntent(intent, service, files.dockerfile);
  const header = JSON.stringify({
    scope: intent.scope,
    service: service.name,
    intent: adapted,
    ...readReason(context),
  });
  const upload = { type: BUILD_TYPE, content: Readable.from(joinParts(header, files.tar)) };
  try {
    for await (const message of api.lines<BuildLine>("POST", "builds", { upload })) {
      if ("line" in message)
        out.note(`  ${service.name} | ${cleanLogLine(message.line.trimEnd(), false)}`);
    }
  } catch (thrown) {
    if (!(thrown instanceof FairleadError) || thrown.kind.id === baseErrors.aborted.id)
      throw thrown;
    if (thrown.code === "unavailable") throw thrown;
    throw new FairleadError(
      cliErrors["build-failed"],
      `could not build ${service.container.Image} for ${service.name}`,
      {
        cause: thrown,
        facts: { said: `${thrown.kind.id} ${thrown.message}`, ...thrown.facts },
      },
    );
  }
}

/** Builds images one after the other: a builder uses all cores itself. One image shared by services is built once. */
export async function buildImages(
  context: Context,
  intent: Intent,
  services: readonly Buildable[],
): Promise<void> {
  const built = new Set<string>();
  for (const service of services) {
    const key = `${service.container.Image} ${JSON.stringify(service.build)}`;
    if (!built.has(key)) await buildImage(context, intent, service);
    built.add(key);
  }
}
