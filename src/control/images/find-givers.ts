// SPDX-License-Identifier: Apache-2.0
// Which nodes have an image: all that may live are asked, the nearest comes first.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import type { Peering, PeerPlace } from "#peering/peering.ts";
import { FIND_PATH, fitsPlatform, GivenImage } from "./given-image.ts";

/** A node that has the image. */
export interface Giver {
  readonly name: string;
  readonly place: PeerPlace;
  readonly image: GivenImage;
}

/** What came of asking: all of `givers` have the same image. */
export interface Search {
  readonly givers: readonly Giver[];
  /** Why others cannot give it: `node-c has no such image`. */
  readonly others: readonly string[];
}

/** An image as a service wants it. */
export interface WantedImage {
  readonly reference: string;
  /** `linux/amd64`; undefined where that is not known. */
  readonly platform: string | undefined;
}

const ASK_MS = 20_000;

/** Those that may live, by how near they are; those that are not heard come last. */
function sortNodes(nodes: readonly NodeView[]): readonly NodeView[] {
  const away = ({ state }: NodeView): number => (state === "alive" ? 0 : 1);
  const far = ({ rttMs }: NodeView): number => rttMs ?? Number.MAX_VALUE;
  return nodes
    .filter(({ self, state }) => !self && (state === "alive" || state === "suspect"))
    .toSorted((a, b) => away(a) - away(b) || far(a) - far(b) || a.name.localeCompare(b.name));
}

async function askNode(
  peering: Peering,
  { id, name, address = "", port = 0 }: NodeView,
  wanted: WantedImage,
  signal: AbortSignal,
): Promise<Giver | string> {
  const place = { id, address, port };
  try {
    const value = await peering.ask(place, FIND_PATH, {
      query: { reference: wanted.reference },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
    });
    if (value === null) return `${name} has no such image`;
    const image = GivenImage.parse(value);
    const { platform = "" } = wanted;
    if (!fitsPlatform(platform, image.platform))
      return `${name} has it for ${image.platform}, not for ${platform}`;
    return { name, place, image };
  } catch (thrown) {
    signal.throwIfAborted();
    return `${name}: ${FairleadError.from(thrown).message}`;
  }
}

/**
 * Asks all nodes at once. Where they have different images under one reference, those that have the one that was made last
 * are the givers.
 */
export async function findGivers(
  peering: Peering,
  nodes: readonly NodeView[],
  wanted: WantedImage,
  signal: AbortSignal,
): Promise<Search> {
  const asked = sortNodes(nodes);
  const answers = await Promise.all(asked.map((node) => askNode(peering, node, wanted, signal)));
  const have = answers.filter((answer) => typeof answer !== "string");
  const newest = have.toSorted((a, b) => b.image.createdAtMs - a.image.createdAtMs)[0]?.image.id;
  const lost = nodes.filter((node) => !node.self && !asked.includes(node));
  return {
    givers: have.filter(({ image }) => image.id === newest),
    others: [
      ...answers.filter((answer) => typeof answer === "string"),
      ...have.filter(({ image }) => image.id !== newest).map(({ name }) => `${name} has an older`),
      ...lost.map(({ name, state }) => `${name} was not asked: it is ${state}`),
    ],
  };
}
