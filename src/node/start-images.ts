// SPDX-License-Identifier: Apache-2.0
// Images that the nodes of a fleet give each other.
import type { Settings } from "#config/settings.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import {
  createImageExchange,
  type ImageExchange,
  type ImageExchangeOptions,
} from "#control/images/image-exchange.ts";
import type { Peers } from "#control/peers.ts";

export interface ImageParts extends Omit<ImageExchangeOptions, "peers" | "host"> {
  readonly settings: Settings;
  readonly peers: Peers | undefined;
  readonly board: FactsBoard;
}

/** Makes the loop; undefined without a fleet, and where the settings say so. */
export function openImages({
  settings,
  board,
  peers,
  ...rest
}: ImageParts): ImageExchange | undefined {
  if (peers === undefined || settings.fleet.images === "off") return undefined;
  return createImageExchange({ ...rest, peers, host: () => board.read().node });
}
