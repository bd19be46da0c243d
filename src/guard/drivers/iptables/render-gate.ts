// SPDX-License-Identifier: Apache-2.0
// The gate by ebtables, which comes with iptables: the same as by nft, see `drivers/nftables/render-gate.ts`, but each port is a rule
// of its own, so that a packet on any bridge of the host costs the more the more ports there are. A neighbour advertisement's target
// cannot be read: who may send any kind of packet is kept from networks with IPv6, see `list-refusals.ts`.
import { findLinkLocal, type GateParts, type PortOwner } from "#guard/place/find-owners.ts";
import { PREFIX } from "./names.ts";
import type { Chains } from "./render-rules.ts";

/** The built-in chains that jump to ours. */
export const GATE_HOOKS = ["INPUT", "FORWARD", "OUTPUT"] as const;

const OWNERS = `${PREFIX}OWNERS`;
const TO = `${PREFIX}TO`;
const HELD = "-j DROP";

function chainOf({ port }: PortOwner): string {
  return `${PREFIX}${port}`;
}

function matchBlocks(end: "src" | "dst", { blocks4, blocks6 }: GateParts): readonly string[] {
  return [
    ...blocks4.map((block) => `-p IPv4 --ip-${end} ${block}`),
    ...blocks6.map((block) => `-p IPv6 --ip6-${end} ${block}`),
  ];
}

/** Sends as himself, or not at all. Who has no IPv6 address sends none of it. */
function renderOwner({ mac, addresses }: PortOwner): readonly string[] {
  const v4 = addresses.filter((address) => !address.includes(":"));
  const v6 = addresses.filter((address) => address.includes(":"));
  const own6 = v6.length === 0 ? [] : [...v6, findLinkLocal(mac), "::"];
  const routers = ["router-advertisement", "redirect"].map(
    (type) => `-p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type ${type} ${HELD}`,
  );
  return [
    `-s ! ${mac} ${HELD}`,
    `-p ARP --arp-mac-src ! ${mac} ${HELD}`,
    ...[...v4, "0.0.0.0"].map((address) => `-p ARP --arp-ip-src ${address} -j RETURN`),
    ...v4.map((address) => `-p IPv4 --ip-src ${address} -j RETURN`),
    ...(own6.length === 0 ? [] : routers),
    ...own6.map((address) => `-p IPv6 --ip6-src ${address} -j RETURN`),
    HELD,
  ];
}

/** Chains of ebtables' table `filter`. */
export function renderGate(parts: GateParts): Chains {
  const { ports, owners, macs } = parts;
  const [from, to] = [matchBlocks("src", parts), matchBlocks("dst", parts)];
  return new Map([
    ...owners.map((owner) => [chainOf(owner), renderOwner(owner)] as const),
    [OWNERS, owners.map((owner) => `-i ${owner.port} -j ${chainOf(owner)}`)],
    // ACCEPT, since what comes back from here is to be held.
    [TO, [...ports.map((port) => `-o ${port} -j ACCEPT`), HELD]],
    [
      `${PREFIX}INPUT`,
      [
        `-j ${OWNERS}`,
        ...ports.map((port) => `-i ${port} -j RETURN`),
        ...macs.map((mac) => `-d ${mac} ${HELD}`),
        ...from.map((match) => `${match} ${HELD}`),
      ],
    ],
    [
      `${PREFIX}FORWARD`,
      [
        `-j ${OWNERS}`,
        ...ports.map((port) => `-i ${port} -j ${TO}`),
        ...ports.map((port) => `-o ${port} ${HELD}`),
        ...[...from, ...to].map((match) => `${match} ${HELD}`),
      ],
    ],
    [
      `${PREFIX}OUTPUT`,
      [...ports.map((port) => `-o ${port} -j RETURN`), ...to.map((match) => `${match} ${HELD}`)],
    ],
  ]);
}
