// SPDX-License-Identifier: Apache-2.0
// The only way to a driver.
import type { Netfilter } from "#netfilter/netfilter.ts";
import { createNftablesGuard } from "./drivers/nftables/driver.ts";
import type { Guard } from "./guard.ts";

export interface GuardOptions {
  readonly kind: "nftables";
  readonly netfilter: Netfilter;
}

/** Opens the packet filters of this host's instances. What it makes stays when the process ends. */
export function openGuard(options: GuardOptions): Guard {
  switch (options.kind) {
    case "nftables":
      return createNftablesGuard(options);
    default:
      return options.kind satisfies never;
  }
}
