// SPDX-License-Identifier: Apache-2.0
// Who answers why services stand where they stand, and which networks suit them.
import type { FactsBoard } from "#control/facts-board.ts";
import { createNetworkDesk, type NetworkDesk } from "#control/network-desk.ts";
import type { Overlays } from "#control/overlays.ts";
import { createPlacementDesk, type PlacementDesk } from "#control/placement.ts";
import type { Roll } from "#control/roll.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { FleetPlacing } from "./start-placing.ts";

interface DeskParts {
  readonly supervisor: Pick<Supervisor, "loops">;
  readonly faces: { readonly roll: Roll; readonly overlays: Pick<Overlays, "list"> };
  readonly board: FactsBoard;
  readonly placing: Pick<FleetPlacing, "picture"> | undefined;
}

/** Makes both. */
export function openDesks({ supervisor, faces, board, placing }: DeskParts): {
  readonly placement: PlacementDesk;
  readonly networks: NetworkDesk;
} {
  const { roll, overlays } = faces;
  const intents = () => [...supervisor.loops.values()].map(({ desired }) => desired.intent);
  const picture = () => placing?.picture();
  return {
    placement: createPlacementDesk({ roll, intents, board, picture }),
    networks: createNetworkDesk({ roll, intents, picture, networks: () => overlays.list() }),
  };
}
