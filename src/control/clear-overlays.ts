// SPDX-License-Identifier: Apache-2.0
// Removes networks that span hosts from this host: when it is to be as it was before, and what a life before this one has made
// when the node belongs to no fleet any more.
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { OverlayGuard } from "#network/overlay-guard.ts";
import type { Overlay } from "#network/overlay.ts";
import { nameTunnel } from "#network/plan-tunnel.ts";
import type { Tunnel } from "#network/tunnel.ts";
import { clearMade } from "./clear-host.ts";

export interface OverlayClearingOptions {
  /** This node. */
  readonly self: { readonly id: string };
  /** Whether it belongs to a fleet: then nothing is left over. */
  readonly isMember: boolean;
  readonly overlay: Pick<Overlay, "apply">;
  readonly guard: OverlayGuard;
  readonly tunnel: Pick<Tunnel, "remove">;
  readonly logger: Logger;
}

export interface OverlayClearing {
  /** Removes devices, packet rules and what encrypts, and names them. Throws what the kernel refuses. */
  clear(): Promise<readonly string[]>;
  /** Does so once on a node without a fleet; what fails is logged. */
  run(): Promise<void>;
}

/** Makes it; nothing is done before it is asked. */
export function createOverlayClearing(options: OverlayClearingOptions): OverlayClearing {
  const { self, overlay, guard, tunnel, logger } = options;
  const device = nameTunnel(self.id);

  async function clear(): Promise<readonly string[]> {
    const changes = await overlay.apply([]);
    const turn = await guard.apply({ networks: [], encrypted: [], tunnel: device, hosts: [] });
    return [
      ...changes.flatMap((one) => (one.kind === "remove" ? [one.device] : [])),
      ...(turn === "removed" ? ["table inet fairlead_overlay"] : []),
      ...((await tunnel.remove(device)) ? [device] : []),
    ];
  }

  return {
    clear,
    async run() {
      if (options.isMember) return;
      try {
        const removed = await clearMade(clear);
        if (removed.length === 0) return;
        logger.info("what was left of networks that span hosts is removed", {
          devices: removed.join(" "),
        });
      } catch (thrown) {
        logger.warn("something is left of networks that span hosts", {
          reason: FairleadError.from(thrown).message,
        });
      }
    },
  };
}
