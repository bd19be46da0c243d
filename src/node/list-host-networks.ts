// SPDX-License-Identifier: Apache-2.0
// Which networks this host has. Node itself tells only of devices on which something is plugged in: a bridge of Docker's has
// its addresses without any container too, so the kernel is asked by iproute2, and Node where that is missing.
import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { parseAddress, parseBlock } from "#base/addresses.ts";
import type { HostNetwork } from "#control/host-networks.ts";

/** An address of a device with its mask, `10.4.0.7/24`. */
export interface DeviceAddress {
  readonly device: string;
  readonly cidr: string;
}

/** Bridges and devices of networks that span hosts. */
const OWN_DEVICE = /^fl[bvw][0-9a-f]+$/;
/** Of this host alone, and of one link alone. */
const OWN_ADDRESS = /^(?:127\.|::1\/|fe80:)/;
const BITS = { 4: 32, 6: 128 } as const;
const ASK_MS = 5_000;

/** The block of an address with its mask; undefined for what is none. */
function readBlock(cidr: string): HostNetwork["block"] | undefined {
  const [address = "", length = ""] = cidr.split("/");
  const parsed = parseAddress(address.replace(/%.*$/, ""));
  if (parsed === undefined || parseBlock(cidr) !== undefined) return parseBlock(cidr);
  const prefix = Number(length);
  const size = 1n << BigInt(BITS[parsed.family] - prefix);
  return { family: parsed.family, first: parsed.value - (parsed.value % size), prefix };
}

/** Reads what `ip -json address show` printed; undefined when that is something else. */
export function parseAddresses(text: string): readonly DeviceAddress[] | undefined {
  try {
    const links = JSON.parse(text) as readonly {
      ifname: string;
      addr_info?: readonly { local?: string; prefixlen?: number }[];
    }[];
    return links.flatMap(({ ifname, addr_info: all = [] }) =>
      all.flatMap(({ local, prefixlen }) =>
        local === undefined || prefixlen === undefined
          ? []
          : [{ device: ifname, cidr: `${local}/${prefixlen}` }],
      ),
    );
  } catch {
    return undefined;
  }
}

function askKernel(): readonly DeviceAddress[] | undefined {
  const options = { encoding: "utf8", timeout: ASK_MS } as const;
  const { status, stdout } = spawnSync("ip", ["-json", "address", "show"], options);
  return status === 0 ? parseAddresses(stdout) : undefined;
}

function askNode(): readonly DeviceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, all = []]) =>
    all.flatMap(({ cidr }) => (cidr === null ? [] : [{ device, cidr }])),
  );
}

/** Of these addresses the networks that others are reached in, but for those that span hosts. */
export function toHostNetworks(addresses: readonly DeviceAddress[]): readonly HostNetwork[] {
  return addresses.flatMap(({ device, cidr }) => {
    if (OWN_DEVICE.test(device) || OWN_ADDRESS.test(cidr)) return [];
    const block = readBlock(cidr);
    return block === undefined ? [] : [{ device, block }];
  });
}

/** What this host reaches by its devices, but for itself, links, and networks that span hosts. */
export function listHostNetworks(): readonly HostNetwork[] {
  return toHostNetworks(askKernel() ?? askNode());
}
