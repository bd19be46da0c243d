// SPDX-License-Identifier: Apache-2.0
// The only way to a driver.
import { createAbsentGuard } from "./drivers/absent/driver.ts";
import { createNftablesGuard, type NftablesOptions } from "./drivers/nftables/driver.ts";
import type { Guard } from "./guard.ts";

export type GuardOptions =
  | ({ readonly kind: "nftables" } & NftablesOptions)
  | { readonly kind: "absent"; readonly endpoint: string };

/** Opens the packet filters of this host's instances. What it makes stays when the process ends. */
export function openGuard(options: GuardOptions): Guard {
  switch (options.kind) {
    case "nftables":
      return createNftablesGuard(options);
    case "absent":
      return createAbsentGuard(options.endpoint);
    default:
      return options satisfies never;
  }
}
