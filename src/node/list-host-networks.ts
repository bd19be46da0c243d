// SPDX-License-Identifier: Apache-2.0
import { networkInterfaces } from "node:os";
import { parseAddress, parseBlock } from "#base/addresses.ts";
import type { HostNetwork } from "#control/host-networks.ts";

/** Bridges and devices of networks that span hosts. */
const OWN_DEVICE = /^fl[bvw][0-9a-f]+$/;
const BITS = { 4: 32, 6: 128 } as const;

/** The block of an address with its mask, `10.4.0.7/24`; undefined for what is none. */
function readBlock(cidr: string): HostNetwork["block"] | undefined {
  const [address = "", length = ""] = cidr.split("/");
  const parsed = parseAddress(address.replace(/%.*$/, ""));
  if (parsed === undefined || parseBlock(cidr) !== undefined) return parseBlock(cidr);
  const prefix = Number(length);
  const size = 1n << BigInt(BITS[parsed.family] - prefix);
  return { family: parsed.family, first: parsed.value - (parsed.value % size), prefix };
}

/** What this host reaches by its devices, but for itself, links, and networks that span hosts. */
export function listHostNetworks(): readonly HostNetwork[] {
  return Object.entries(networkInterfaces()).flatMap(([device, all = []]) =>
    OWN_DEVICE.test(device)
      ? []
      : all.flatMap(({ internal, cidr, address }) => {
          const block =
            cidr === null || internal || address.startsWith("fe80:") ? undefined : readBlock(cidr);
          return block === undefined ? [] : [{ device, block }];
        }),
  );
}
