// SPDX-License-Identifier: Apache-2.0
// Networks that span the hosts of the fleet, on this host's kernel.
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import { createOverlayClearing, type OverlayClearing } from "#control/clear-overlays.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import { createOverlays, type Overlays } from "#control/overlays.ts";
import { createPaths, type Paths } from "#control/paths.ts";
import type { Roll } from "#control/roll.ts";
import { createShortcuts, type Shortcuts } from "#control/shortcuts.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { openOverlay, openTunnel } from "#network/open.ts";
import { createOverlayGuard } from "#network/overlay-guard.ts";
import { createCeilingReader } from "#network/read-ceiling.ts";
import { openTunnelKeys } from "#network/tunnel-keys.ts";
import { listHostNetworks } from "./list-host-networks.ts";

const DAY_MS = 86_400_000;

export interface OverlayParts {
  readonly settings: Settings;
  readonly self: { readonly id: string; readonly address: string };
  readonly fleet: Fleet | undefined;
  readonly roll: Pick<Roll, "list" | "probe" | "problem">;
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes the loops; what they have made on the host stays when the node ends. */
export function startOverlays(
  parts: OverlayParts,
  stack: AsyncDisposableStack,
): {
  readonly overlays: Overlays;
  readonly paths: Paths;
  readonly shortcuts: Shortcuts;
  readonly clearing: OverlayClearing;
} {
  const { settings, self, fleet, roll, ...rest } = parts;
  const { clock, logger } = rest;
  const paths = createPaths({ roll, readCeiling: createCeilingReader(), clock, logger });
  const shortcuts = createShortcuts({ isOn: settings.overlay.shortcut === "auto" });
  const overlay = stack.use(openOverlay({ kind: "vxlan" }));
  const tunnel = stack.use(openTunnel({ host: self.address }));
  const guard = createOverlayGuard(createNetfilter());
  const overlays = createOverlays({
    ...rest,
    self,
    paths,
    openStore: fleet === undefined ? undefined : () => fleet.openStore(),
    overlay,
    tunnel: {
      tunnel,
      keys: openTunnelKeys(locateNodeFiles(findPlaces(settings)).tunnelKey),
      port: settings.overlay.tunnelPort,
      rotateMs: settings.overlay.rotateDays * DAY_MS,
    },
    guard,
    shortcuts,
    readHosts: () => roll.list().flatMap(({ address }) => address ?? []),
    encrypts: settings.overlay.encryption === "wireguard",
    pools: settings.overlay.addresses.split(","),
    port: settings.overlay.port,
    listHostNetworks,
    readNodes: () =>
      roll.problem === undefined
        ? new Map(roll.list().map(({ id, name }) => [id, name]))
        : undefined,
  });
  const isMember = fleet !== undefined;
  const clearing = createOverlayClearing({ self, isMember, overlay, guard, tunnel, logger });
  return { overlays, paths, shortcuts, clearing };
}
