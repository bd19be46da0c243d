// SPDX-License-Identifier: Apache-2.0
// Images that the nodes of a fleet give each other.
import type { Settings } from "#config/settings.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { PeerFleet } from "#control/fleet.ts";
import {
  createImageExchange,
  type ImageExchange,
  type ImageExchangeOptions,
} from "#control/images/image-exchange.ts";

export interface ImageParts extends Omit<ImageExchangeOptions, "fleet" | "host"> {
  readonly settings: Settings;
  readonly fleet: PeerFleet | undefined;
  readonly board: FactsBoard;
}

/** Makes the loop; undefined without a fleet, and where the settings say so. */
export function openImages({
  settings,
  board,
  fleet,
  ...rest
}: ImageParts): ImageExchange | undefined {
  if (fleet === undefined || settings.fleet.images === "off") return undefined;
  return createImageExchange({ ...rest, fleet, host: () => board.read().node });
}
