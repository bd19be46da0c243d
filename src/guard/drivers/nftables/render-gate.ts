// SPDX-License-Identifier: Apache-2.0
// The gate in the host's namespace: on bridges where instances are guarded, a port carries nothing before whoever is behind it
// is ready. The engine gives each start a new port, so that neither an address nor a name that was used before lets anybody
// pass; and since rules stay, that holds while no node runs too.
// Who is ready can send only as who he is: under the MAC and the addresses that the engine gave him, whatever he is able to do in
// his own namespace. This is the port's other end, which he cannot reach.
// This family does not know bridges by name everywhere (a kernel option), so ports are told by their own names, and those that
// nobody vouches for by the networks' addresses.

import { parseAddress } from "#base/addresses.ts";
import { findLinkLocal, type GateParts, type PortOwner } from "#guard/place/find-owners.ts";
import type { Holder, Table } from "./render-table.ts";

/** Family and name of the table in the host's namespace. */
export const GATE = "bridge fairlead";

/** Neighbours must believe nobody about another's address, nor take him for a router. */
const AS_HIMSELF = [
  // Nearly all there is: one look for what the rules below look for one after the other.
  "iifname . ether saddr . ip saddr @senders4 return",
  "iifname . ether saddr != @owner_macs counter name spoofed drop",
  "ether type arp iifname . arp saddr ether != @owner_macs counter name spoofed drop",
  "arp saddr ip 0.0.0.0 return",
  "iifname . arp saddr ip @owners4 return",
  "iifname . ip saddr @owners4 return",
  "icmpv6 type { nd-router-advert, nd-redirect } counter name spoofed drop",
  "icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @owner_targets counter name spoofed drop",
  "ip6 saddr :: return",
  "iifname . ip6 saddr @owners6 return",
  // What is neither of these is no protocol that policies know.
  "counter name spoofed drop",
];

const CHAINS: ReadonlyMap<string, readonly string[]> = new Map([
  ["prerouting", ["iifname @owned goto as_himself"]],
  [
    "input",
    [
      "iifname @ports accept",
      "ether daddr @macs counter name held drop",
      "ip saddr @blocks4 counter name held drop",
      "ip6 saddr @blocks6 counter name held drop",
    ],
  ],
  [
    "forward",
    [
      "iifname @ports oifname @ports accept",
      "iifname @ports counter name held drop",
      "oifname @ports counter name held drop",
      "ip saddr @blocks4 counter name held drop",
      "ip daddr @blocks4 counter name held drop",
      "ip6 saddr @blocks6 counter name held drop",
      "ip6 daddr @blocks6 counter name held drop",
    ],
  ],
  [
    "output",
    [
      "oifname @ports accept",
      "ip daddr @blocks4 counter name held drop",
      "ip6 daddr @blocks6 counter name held drop",
    ],
  ],
]);

/** Elements of the sets that say who may send as whom. */
function listOwnership(owners: readonly PortOwner[]) {
  const all = owners.flatMap(({ port, mac, addresses }) =>
    [...addresses, findLinkLocal(mac)].map((address) => ({ port, address })),
  );
  const v6 = all.filter(({ address }) => address.includes(":"));
  const pair = (port: string, what: string): string => `"${port}" . ${what}`;
  return {
    senders4: owners.flatMap(({ port, mac, addresses }) =>
      addresses
        .filter((address) => !address.includes(":"))
        .map((address) => `"${port}" . ${mac} . ${address}`),
    ),
    macs: owners.map(({ port, mac }) => pair(port, mac)),
    v4: all
      .filter(({ address }) => !address.includes(":"))
      .map(({ port, address }) => pair(port, address)),
    v6: v6.map(({ port, address }) => pair(port, address)),
    targets: v6.map(({ port, address }) =>
      pair(port, `0x${(parseAddress(address)?.value ?? 0n).toString(16).padStart(32, "0")}`),
    ),
  };
}

/** The gate as a table. */
export function describeGate(parts: GateParts): Table {
  const { ports, owners, macs, blocks4, blocks6 } = parts;
  const own = listOwnership(owners);
  const names = (list: readonly string[]): readonly string[] => list.map((name) => `"${name}"`);
  const set = (name: string, type: string, elements: readonly string[]): Holder => ({
    kind: "set",
    name,
    type,
    elements,
  });
  return {
    id: GATE,
    counters: ["held", "spoofed"],
    holders: [
      set("ports", "type ifname;", names(ports)),
      set("owned", "type ifname;", names(owners.map(({ port }) => port))),
      set("senders4", "type ifname . ether_addr . ipv4_addr;", own.senders4),
      set("owner_macs", "type ifname . ether_addr;", own.macs),
      set("owners4", "type ifname . ipv4_addr;", own.v4),
      set("owners6", "type ifname . ipv6_addr;", own.v6),
      set("owner_targets", "typeof iifname . @th,64,128;", own.targets),
      set("macs", "type ether_addr;", macs),
      set("blocks4", "type ipv4_addr; flags interval;", blocks4),
      set("blocks6", "type ipv6_addr; flags interval;", blocks6),
    ],
    chains: [
      { name: "as_himself", rules: AS_HIMSELF },
      ...[...CHAINS].map(([hook, rules]) => ({
        name: hook,
        hook: `type filter hook ${hook} priority -300; policy accept;`,
        rules,
      })),
    ],
  };
}
