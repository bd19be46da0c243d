// SPDX-License-Identifier: Apache-2.0
// The gate in the host's namespace: on bridges where instances are guarded, a port carries nothing before whoever is behind it
// is ready. The engine gives each start a new port, so that neither an address nor a name that was used before lets anybody
// pass; and since rules stay, that holds while no node runs too.
// This family does not know bridges by name everywhere (a kernel option), so ports are told by their own names, and those that
// nobody vouches for by the networks' addresses.

/** Family and name of the table in the host's namespace. */
export const GATE = "bridge fairlead";

/** What the gate is made of. */
export interface GateParts {
  /** Ports of bridges whose owner is ready, or has no rules to wait for. */
  readonly ports: readonly string[];
  /** MACs of the bridges: what goes to the host and beyond. */
  readonly macs: readonly string[];
  /** The networks' blocks. */
  readonly blocks4: readonly string[];
  readonly blocks6: readonly string[];
}

const CHAINS: ReadonlyMap<string, readonly string[]> = new Map([
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

/** Makes the gate anew, in one step. */
export function renderGate({ ports, macs, blocks4, blocks6 }: GateParts): readonly string[] {
  const sets = [
    { name: "ports", type: "type ifname;", elements: ports.map((port) => `"${port}"`) },
    { name: "macs", type: "type ether_addr;", elements: macs },
    { name: "blocks4", type: "type ipv4_addr; flags interval;", elements: blocks4 },
    { name: "blocks6", type: "type ipv6_addr; flags interval;", elements: blocks6 },
  ];
  return [
    `add table ${GATE}`,
    `add counter ${GATE} held`,
    ...sets.flatMap(({ name, type }) => [
      `add set ${GATE} ${name} { ${type} }`,
      `flush set ${GATE} ${name}`,
    ]),
    ...[...CHAINS.keys()].map(
      (hook) =>
        `add chain ${GATE} ${hook} { type filter hook ${hook} priority -300; policy accept; }`,
    ),
    `flush table ${GATE}`,
    ...sets.flatMap(({ name, elements }) =>
      elements.length === 0 ? [] : [`add element ${GATE} ${name} { ${elements.join(", ")} }`],
    ),
    ...[...CHAINS].flatMap(([hook, rules]) =>
      rules.map((rule) => `add rule ${GATE} ${hook} ${rule}`),
    ),
  ];
}
