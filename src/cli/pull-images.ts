// SPDX-License-Identifier: Apache-2.0
// Fetches, at each `up`, the images of services that say pull_policy: always, through the node.
import type { Intent, ServiceIntent } from "@fairlead/protocol/intent.ts";
import type { BuildLine, ImagesAnswer } from "@fairlead/protocol/routes.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { makePrintable } from "./printable.ts";
import { readReason } from "./send-action.ts";

/** Services whose image is fetched although the engine may have one of that name; what is built here is not. */
export function listPulls(intent: Intent): readonly ServiceIntent[] {
  const pulled = intent.services.filter(
    (service) => service.pull === "always" && service.build === undefined && service.replicas > 0,
  );
  const keyOf = ({ container, platform = "" }: ServiceIntent): string =>
    `${container.Image} ${platform}`;
  return [
    ...new Map(pulled.toReversed().map((service) => [keyOf(service), service])).values(),
  ].toReversed();
}

async function pullImage(context: Context, scope: string, service: ServiceIntent): Promise<void> {
  const { api, out } = context;
  const reference = service.container.Image;
  out.note(`pulling ${reference} for ${service.name}`);
  const at = service.origins["pull_policy"];
  const body = {
    scope,
    service: service.name,
    reference,
    ...(service.platform === undefined ? {} : { platform: service.platform }),
    ...(at === undefined ? {} : { at }),
    ...readReason(context),
  };
  const lines = api.lines<BuildLine>("POST", "pulls", { body });
  for await (const _line of lines) continue;
}

/** A registry that is away must not keep down what can run with the image that is there. Throws what the pull throws. */
async function goOnWithout(
  { api, out, signal }: Context,
  { container: { Image: reference } }: ServiceIntent,
  thrown: unknown,
): Promise<void> {
  if (!(thrown instanceof FairleadError) || signal.aborted) throw thrown;
  const { present } = await api.call<ImagesAnswer>("POST", "images", {
    body: { references: [reference] },
  });
  if (!present.includes(reference)) throw thrown;
  const why = `${thrown.kind.id} ${thrown.message}`;
  out.warn(
    makePrintable(`could not pull ${reference}, goes on with the one that is there: ${why}`),
  );
}

/** Fetches images one after the other. */
export async function pullImages(
  context: Context,
  scope: string,
  services: readonly ServiceIntent[],
): Promise<void> {
  for (const service of services) {
    try {
      await pullImage(context, scope, service);
    } catch (thrown) {
      await goOnWithout(context, service, thrown);
    }
  }
}
