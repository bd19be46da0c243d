// SPDX-License-Identifier: Apache-2.0
// Ways past a bridge, in the host's namespace. What an instance that is ready sends to another host is taken where it comes out of
// the instance, before the bridge, and given to the device by which the network spans hosts; what comes for it from there is
// given to its port. On the bridge each packet would pass the gate, and where br_netfilter is on the engine's iptables twice.
//
// The gate's rules lie in hooks of the bridge, which these packets do not meet, so that nothing passes here that they would not let
// pass: only ports of instances that are ready, only under their own MAC and addresses, only TCP and UDP (ARP and neighbour
// discovery, by which somebody could take another's address, stay on the bridge), only to and from MACs that are known to be behind
// the device. Who is judged on the bridge for what he may call has no shortcut. Both directions change in one step, so that who tracks connections on the host sees both of one or none.
//
// Elements end by themselves: where no node runs to say again who is ready, packets go over the bridge, and not to a port that
// is gone.

/** Family and name of the table in the host's namespace. */
export const SHORTCUTS = "netdev fairlead";

/** After so long without a node packets take the bridge again. Renewed with each look. */
const LASTS_SECONDS = 60;

/** A bridge with its way past. */
export interface Lane {
  /** The device behind which the other hosts are, and its number, which another of the same name does not have. */
  readonly device: string;
  readonly ifindex: number;
  /** MACs of those behind it. */
  readonly macs: readonly string[];
  /** Who is ready. */
  readonly owners: readonly LaneOwner[];
}

/** A port of an instance, and as whom it sends. */
export interface LaneOwner {
  readonly port: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly addresses: readonly string[];
}

interface Contents {
  readonly kind: "set" | "map";
  readonly name: string;
  readonly type: string;
  readonly lasts: boolean;
  readonly elements: readonly string[];
}

const FAMILIES = [
  { family: 4, word: "ip", type: "ipv4_addr" },
  { family: 6, word: "ip6", type: "ipv6_addr" },
] as const;

const quote = (name: string): string => `"${name}"`;

/** Elements of a map, without keys that two claim: whom they mean is for the bridge to say. */
function listUnclaimed(pairs: readonly (readonly [key: string, value: string])[]): string[] {
  const claims = Map.groupBy(pairs, ([key]) => key);
  return pairs
    .filter(([key]) => claims.get(key)?.length === 1)
    .map(([key, value]) => `${key} : ${value}`);
}

function listContents({ device, macs, owners }: Lane): readonly Contents[] {
  const far: Contents = {
    kind: "set",
    name: `far-${device}`,
    type: "ether_addr",
    lasts: false,
    elements: [...new Set(macs)].toSorted(),
  };
  const own = FAMILIES.flatMap(({ family, type }): Contents[] => {
    const all = owners.flatMap(({ port, mac, addresses }) =>
      addresses
        .filter((address) => address.includes(":") === (family === 6))
        .map((address) => ({ port: quote(port), who: `${mac} . ${address}` })),
    );
    return [
      {
        kind: "set",
        name: `own${family}-${device}`,
        type: `ifname . ether_addr . ${type}`,
        lasts: true,
        elements: [...new Set(all.map(({ port, who }) => `${port} . ${who}`))].toSorted(),
      },
      {
        kind: "map",
        name: `ports${family}-${device}`,
        type: `ether_addr . ${type} : iface_index`,
        lasts: true,
        elements: listUnclaimed(all.map(({ port, who }) => [who, port])).toSorted(),
      },
    ];
  });
  return [far, ...own];
}

/** Says again who is ready and who is behind the devices, in one step, where the rules stand. */
export function renewShortcuts(lanes: readonly Lane[]): readonly string[] {
  return lanes
    .flatMap(listContents)
    .flatMap(({ kind, name, elements }) => [
      `flush ${kind} ${SHORTCUTS} ${name}`,
      ...(elements.length === 0
        ? []
        : [`add element ${SHORTCUTS} ${name} { ${elements.join(", ")} }`]),
    ]);
}

function renderLane({ device, owners }: Lane): readonly string[] {
  const hook = (port: string): string =>
    `{ type filter hook ingress device ${quote(port)} priority 0; policy accept; }`;
  const carried = "meta l4proto { tcp, udp }";
  return [
    `add chain ${SHORTCUTS} out-${device}`,
    `add rule ${SHORTCUTS} out-${device} ether daddr != @far-${device} return`,
    ...FAMILIES.map(
      ({ family, word }) =>
        `add rule ${SHORTCUTS} out-${device} ${carried} iifname . ether saddr . ${word} saddr @own${family}-${device} counter name out fwd to ${quote(device)}`,
    ),
    `add chain ${SHORTCUTS} in-${device} ${hook(device)}`,
    `add rule ${SHORTCUTS} in-${device} ether saddr != @far-${device} return`,
    ...FAMILIES.map(
      ({ family, word }) =>
        `add rule ${SHORTCUTS} in-${device} ${carried} fwd to ether daddr . ${word} daddr map @ports${family}-${device}`,
    ),
    // A chain takes 256 devices, a bridge 1,023.
    ...owners.flatMap(({ port, ifindex }) => [
      `add chain ${SHORTCUTS} port-${ifindex} ${hook(port)}`,
      `add rule ${SHORTCUTS} port-${ifindex} goto out-${device}`,
    ]),
  ];
}

/** Makes all anew, in one step. */
export function renderShortcuts(lanes: readonly Lane[]): readonly string[] {
  return [
    `add table ${SHORTCUTS}`,
    `delete table ${SHORTCUTS}`,
    `add table ${SHORTCUTS}`,
    `add counter ${SHORTCUTS} out`,
    ...lanes
      .flatMap(listContents)
      .map(
        ({ kind, name, type, lasts }) =>
          `add ${kind} ${SHORTCUTS} ${name} { type ${type};${lasts ? ` flags timeout; timeout ${LASTS_SECONDS}s;` : ""} }`,
      ),
    ...lanes.flatMap(renderLane),
    ...renewShortcuts(lanes),
  ];
}

/** What `renderShortcuts` makes, but for what `renewShortcuts` can change. */
export function frameShortcuts(lanes: readonly Lane[]): string {
  return JSON.stringify(
    lanes.map(({ device, ifindex, owners }) => [
      device,
      ifindex,
      owners.map(({ port, ifindex: number }) => [port, number]),
    ]),
  );
}
