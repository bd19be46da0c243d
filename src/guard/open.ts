// SPDX-License-Identifier: Apache-2.0
// The only way to a driver.
import { chooseGuard } from "./choose-guard.ts";
import { createAbsentGuard } from "./drivers/absent/driver.ts";
import { createIptablesGuard, type IptablesOptions } from "./drivers/iptables/driver.ts";
import { hasGate } from "./drivers/iptables/gate.ts";
import { createNftablesGuard, type NftablesOptions } from "./drivers/nftables/driver.ts";
import type { Guard } from "./guard.ts";

export type GuardOptions =
  /** Nftables, or iptables where that is missing. */
  | ({ readonly kind: "host" } & NftablesOptions & IptablesOptions)
  | ({ readonly kind: "nftables" } & NftablesOptions)
  | ({ readonly kind: "iptables" } & IptablesOptions)
  | { readonly kind: "absent"; readonly endpoint: string };

function openHostGuard(options: NftablesOptions & IptablesOptions): Guard {
  const { netfilter, xtables, netns } = options;
  const where = netns === undefined ? {} : { netns };
  return chooseGuard({
    nftables: createNftablesGuard(options),
    iptables: createIptablesGuard(options),
    tryNftables: () => netfilter.read("bridge", "fairlead", where),
    tryIptables: () =>
      Promise.all((["ip", "ip6", "bridge"] as const).map((family) => xtables.read(family, where))),
    hasLeft: () => hasGate(xtables, where),
  });
}

/** Opens the packet filters of this host's instances. What it makes stays when the process ends. */
export function openGuard(options: GuardOptions): Guard {
  switch (options.kind) {
    case "host":
      return openHostGuard(options);
    case "nftables":
      return createNftablesGuard(options);
    case "iptables":
      return createIptablesGuard(options);
    case "absent":
      return createAbsentGuard(options.endpoint);
    default:
      return options satisfies never;
  }
}
