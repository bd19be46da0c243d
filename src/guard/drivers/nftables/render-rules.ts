// SPDX-License-Identifier: Apache-2.0
// A verdict table as commands of nft, which take effect together. Every packet is judged, also of connections that stand: what
// comes back is judged by the table that let the call go, with source and destination exchanged. So a change cuts what it
// forbids at once, and nothing has to be looked for in the connection tracker.
import { formatAddress } from "#base/addresses.ts";
import type { DirectionTable } from "#policy/verdict-table.ts";
import type { Ward } from "#guard/guard.ts";
import { listTables, MARK_EVERYTHING, markOf, PROTOCOL_NAMES, TABLE, type Side } from "./names.ts";

const PORT_MAX = 65_535;
/** How many different denied conversations are remembered, and for how long. */
const DENIALS_MAX = 4_096;
const DENIALS_FOR = "1h";

function mark(table: DirectionTable, index: number): number {
  return table.classes[index]?.everything === true ? MARK_EVERYTHING : markOf(index);
}

/** Elements by the name of their map or set. */
function listElements(side: Side, table: DirectionTable): ReadonlyMap<string, readonly string[]> {
  const elements = new Map<string, string[]>();
  const add = (name: string, element: string): void => {
    const list = elements.get(name);
    if (list === undefined) elements.set(name, [element]);
    else list.push(element);
  };
  for (const [address, index] of table.hosts)
    add(`${side}_hosts${address.includes(":") ? 6 : 4}`, `${address} : ${mark(table, index)}`);
  for (const { family, first, last, class: index } of table.blocks) {
    const [from, to] = [formatAddress(family, first), formatAddress(family, last)];
    const range = from === to ? from : `${from}-${to}`;
    add(`${side}_blocks${family}`, `${range} : ${mark(table, index)}`);
  }
  for (const [index, { ranges }] of table.classes.entries())
    for (const { protocol, first, last } of ranges)
      for (const name of PROTOCOL_NAMES[protocol]) {
        const key = `${markOf(index)} . ${name}`;
        if (protocol === "ICMP" || (first <= 1 && last === PORT_MAX)) add(`${side}_protocols`, key);
        else if (first === last) add(`${side}_ports`, `${key} . ${first}`);
        else add(`${side}_ranges`, `${key} . ${first}-${last}`);
      }
  return elements;
}

/** Rules that judge by one table: `address` and `port` say where in the packet the peer and the called port are. */
function renderJudge(side: Side, address: "saddr" | "daddr", port: "dport" | "sport"): string[] {
  return [
    "meta mark set 0",
    `meta mark set ip ${address} map @${side}_blocks4`,
    `meta mark set ip6 ${address} map @${side}_blocks6`,
    `meta mark set ip ${address} map @${side}_hosts4`,
    `meta mark set ip6 ${address} map @${side}_hosts6`,
    `meta mark ${MARK_EVERYTHING} meta mark set 0 accept`,
    `meta mark . meta l4proto @${side}_protocols meta mark set 0 accept`,
    `meta mark . meta l4proto . th ${port} @${side}_ports meta mark set 0 accept`,
    `meta mark . meta l4proto . th ${port} @${side}_ranges meta mark set 0 accept`,
    "meta mark set 0",
  ];
}

/** What is done with what no rule let pass. */
function renderDenial(side: Side, isCall: boolean, verdict: "drop" | "accept"): string[] {
  const address = side === "in" ? "saddr" : "daddr";
  const record = (family: "ip" | "ip6", number: 4 | 6): string =>
    `meta l4proto { tcp, udp, sctp } update @${side}_denied${number} { ${family} ${address} . meta l4proto . th dport }`;
  return [
    ...(isCall ? [record("ip", 4), record("ip6", 6)] : []),
    `counter name ${side}_denied ${verdict}`,
  ];
}

/** The four ways in which a packet can be judged. */
function listChains({ table, mode }: Ward): ReadonlyMap<string, readonly string[]> {
  const verdict = mode === "watch" ? "accept" : "drop";
  const { ingress, egress } = table;
  const open = ["accept"];
  const chain = (
    judging: DirectionTable | undefined,
    judge: readonly string[],
    denial: readonly string[],
  ): readonly string[] => (judging === undefined ? open : [...judge, ...denial]);
  return new Map([
    [
      "calls_in",
      chain(ingress, renderJudge("in", "saddr", "dport"), renderDenial("in", true, verdict)),
    ],
    [
      "answers_out",
      chain(ingress, renderJudge("in", "daddr", "sport"), renderDenial("in", false, verdict)),
    ],
    [
      "calls_out",
      chain(egress, renderJudge("out", "daddr", "dport"), renderDenial("out", true, verdict)),
    ],
    [
      "answers_in",
      chain(egress, renderJudge("out", "saddr", "sport"), renderDenial("out", false, verdict)),
    ],
  ]);
}

/** Neighbours have to be found, and errors about what was let pass have to come through. */
const ALWAYS = "ct state related meta l4proto { icmp, ipv6-icmp } accept";
const NEIGHBOURS_IN = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
const NEIGHBOURS_OUT =
  "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept";

const BASE: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "input",
    [
      'iifname "lo" accept',
      NEIGHBOURS_IN,
      ALWAYS,
      "ct direction reply goto answers_in",
      "goto calls_in",
    ],
  ],
  [
    "output",
    [
      'oifname "lo" accept',
      NEIGHBOURS_OUT,
      ALWAYS,
      "ct direction reply goto answers_out",
      "goto calls_out",
    ],
  ],
]);

function declare(policy: "drop" | "accept"): string[] {
  const sides = ["in", "out"] as const;
  return [
    `add table ${TABLE}`,
    ...sides.flatMap((side) => [
      ...listTables(side).map(({ kind, name, type }) => `add ${kind} ${TABLE} ${name} { ${type} }`),
      `add counter ${TABLE} ${side}_denied`,
      ...([4, 6] as const).map(
        (family) =>
          `add set ${TABLE} ${side}_denied${family} { type ipv${family}_addr . inet_proto . inet_service; size ${DENIALS_MAX}; flags dynamic,timeout; timeout ${DENIALS_FOR}; counter; }`,
      ),
    ]),
    ...["calls_in", "calls_out", "answers_in", "answers_out"].map(
      (name) => `add chain ${TABLE} ${name}`,
    ),
    ...["input", "output"].map(
      (hook) =>
        `add chain ${TABLE} ${hook} { type filter hook ${hook} priority -20; policy ${policy}; }`,
    ),
  ];
}

/** Makes the table of a namespace anew, in one step; what was counted stays. */
export function renderRules(ward: Ward): readonly string[] {
  const sides = [
    ["in", ward.table.ingress],
    ["out", ward.table.egress],
  ] as const;
  return [
    ...declare(ward.mode === "watch" ? "accept" : "drop"),
    `flush table ${TABLE}`,
    ...sides.flatMap(([side]) =>
      listTables(side).map(({ kind, name }) => `flush ${kind} ${TABLE} ${name}`),
    ),
    ...sides.flatMap(([side, table]) =>
      [...(table === undefined ? [] : listElements(side, table))].map(
        ([name, elements]) => `add element ${TABLE} ${name} { ${elements.join(", ")} }`,
      ),
    ),
    ...[...BASE, ...listChains(ward)].flatMap(([name, rules]) =>
      rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`),
    ),
  ];
}
