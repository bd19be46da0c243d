// SPDX-License-Identifier: Apache-2.0
// Who answers why services stand where they stand, and which networks suit them; and who takes from the host what was made.
import type { Clock } from "#base/clock.ts";
import type { ServiceAddresses } from "#control/addresses/service-addresses.ts";
import { createHostClearing, type HostClearing } from "#control/clear-host.ts";
import type { OverlayClearing } from "#control/clear-overlays.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { createNetworkDesk, type NetworkDesk } from "#control/network-desk.ts";
import type { Overlays } from "#control/overlays.ts";
import { createPlacementDesk, type PlacementDesk } from "#control/placement.ts";
import type { Roll } from "#control/roll.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { FleetPlacing } from "./start-placing.ts";

interface DeskParts {
  readonly supervisor: Pick<Supervisor, "loops">;
  readonly faces: {
    readonly roll: Roll;
    readonly overlays: Pick<Overlays, "list">;
    readonly clearing: Pick<OverlayClearing, "clear">;
  };
  readonly addresses: Pick<ServiceAddresses, "clear">;
  readonly belongs: { readonly name: string } | undefined;
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly placing: Pick<FleetPlacing, "picture" | "readPicture"> | undefined;
}

/** Makes them. */
export function openDesks(parts: DeskParts): {
  readonly placement: PlacementDesk;
  readonly networks: NetworkDesk;
  readonly host: HostClearing;
} {
  const { supervisor, faces, board, placing, addresses, belongs, decisions, clock } = parts;
  const { roll, overlays, clearing } = faces;
  const intents = () => [...supervisor.loops.values()].map(({ desired }) => desired.intent);
  const picture = () => placing?.picture();
  const readPicture = async () => placing?.readPicture();
  return {
    placement: createPlacementDesk({ roll, intents, board, picture: readPicture }),
    networks: createNetworkDesk({ roll, intents, picture, networks: () => overlays.list() }),
    host: createHostClearing({
      fleet: belongs?.name,
      scopes: () => [...supervisor.loops.keys()],
      makers: [addresses, clearing],
      decisions,
      clock,
    }),
  };
}
