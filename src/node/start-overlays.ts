// SPDX-License-Identifier: Apache-2.0
// Networks that span the hosts of the fleet, on this host's kernel.
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import { createOverlays, type Overlays } from "#control/overlays.ts";
import type { Roll } from "#control/roll.ts";
import { openOverlay } from "#network/open.ts";

export interface OverlayParts {
  readonly settings: Settings;
  readonly self: { readonly id: string; readonly address: string };
  readonly fleet: Fleet | undefined;
  readonly roll: Pick<Roll, "list">;
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An Ethernet path, and what VXLAN puts around a packet. */
const PATH_MTU = 1_500;
const OVERHEAD = { 4: 50, 6: 70 } as const;

/** Makes the loop; what it has made on the host stays when the node ends. */
export function startOverlays(parts: OverlayParts, stack: AsyncDisposableStack): Overlays {
  const { settings, self, fleet, roll, ...rest } = parts;
  const family = self.address.includes(":") ? 6 : 4;
  return createOverlays({
    ...rest,
    self,
    openStore: fleet === undefined ? undefined : () => fleet.openStore(),
    overlay: stack.use(openOverlay({ kind: "vxlan" })),
    pools: settings.overlay.addresses.split(","),
    port: settings.overlay.port,
    chooseMtu: () => PATH_MTU - OVERHEAD[family],
    nameNode: (id) => roll.list().find((node) => node.id === id)?.name,
  });
}
