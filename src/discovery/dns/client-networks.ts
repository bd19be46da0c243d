// SPDX-License-Identifier: Apache-2.0
// Who is a client: the networks of this node, nobody on the Internet.
import { BlockList, isIP, isIPv6 } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";

/** Loopback, private, carrier-grade and link-local networks of both families. */
export const PRIVATE_NETWORKS: readonly string[] = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
];

/** More sources than this are judged anew each time. */
const REMEMBERED_MAX = 4_096;

/** Tells clients from strangers. Throws `dns-address-unusable` for what is no network. */
export function createClientCheck(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = "", ...rest] = network.split("/");
    const family = isIP(address);
    const bits = Number(prefix);
    const good = /^\d+$/.test(prefix) && bits <= (family === 4 ? 32 : 128) && rest.length === 0;
    if (family === 0 || !good) {
      throw new FairleadError(
        discoveryErrors["dns-address-unusable"],
        `${JSON.stringify(network)} is no network`,
      );
    }
    list.addSubnet(address, bits, family === 4 ? "ipv4" : "ipv6");
  }
  const remembered = new Map<string, boolean>();
  return (address) => {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const plain = address.split("%")[0] ?? "";
    const isClient = list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(address, isClient);
    return isClient;
  };
}
