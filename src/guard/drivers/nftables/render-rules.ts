// SPDX-License-Identifier: Apache-2.0
// A verdict table as commands of nft, which take effect together. Packets of connections that stand are judged too: what
// comes back is judged by the table that let the call go, with source and destination exchanged. A connection that may go on carries
// a mark in the connection tracker that stands for just these rules, so that each is judged once; other rules have another mark, so
// that a change cuts what it forbids at once, and nothing has to be looked for in the tracker.
import type { Pin, Ward } from "#guard/guard.ts";
import type { DirectionTable } from "#policy/verdict-table.ts";
import {
  listSightSets,
  listTables,
  namedSet,
  namesMark,
  rulesMark,
  SIGHTS_FOR_SECONDS,
  SIGHTS_MAX,
  TABLE,
  type Side,
} from "./names.ts";
import { listElements, renderJudge } from "./render-judge.ts";

/** Counts a call under what it is. A set without room does not match, so that the next is tried, and last of all the loss is counted. */
function renderRecord(side: Side, wanted: "allowed" | "denied", verdict: string): string[] {
  const address = side === "in" ? "saddr" : "daddr";
  const sets = listSightSets(side).filter((one) => one.verdict === wanted);
  return [
    ...sets.map(({ name, family, bare }) => {
      const peer = `${family === 4 ? "ip" : "ip6"} ${address} . meta l4proto`;
      return bare
        ? `update @${name} { ${peer} } ${verdict}`
        : `meta l4proto { tcp, udp, sctp } update @${name} { ${peer} . th dport } ${verdict}`;
    }),
    `counter name ${side}_lost ${verdict}`,
  ];
}

/** What is done with what no rule let pass. */
function renderDenial(side: Side, isCall: boolean, verdict: "drop" | "accept"): string[] {
  return [
    `counter name ${side}_denied`,
    ...(isCall ? renderRecord(side, "denied", verdict) : [verdict]),
  ];
}

/** What is done with a call that may pass: the first packet of a conversation is counted. */
function renderSeen(side: Side): readonly string[] {
  return ["ct state != new accept", ...renderRecord(side, "allowed", "accept")];
}

/** What was found by name passes. A connection that has begun goes on when the address is good no more, until the names change. */
function renderNamed(outside: number, pass: string): readonly string[] {
  return [
    `ip daddr @${namedSet(4)} ct mark set ${outside} ${pass}`,
    `ip6 daddr @${namedSet(6)} ct mark set ${outside} ${pass}`,
    `ct state established ct mark ${outside} ${pass}`,
  ];
}

/** Lets addresses be called; one that may be called already, for as long as said from now on. */
export function renderPins(pins: readonly Pin[]): readonly string[] {
  return pins.flatMap(({ address, seconds }) => {
    const set = `element ${TABLE} ${namedSet(address.includes(":") ? 6 : 4)}`;
    return [
      `add ${set} { ${address} }`,
      `delete ${set} { ${address} }`,
      `add ${set} { ${address} timeout ${seconds}s }`,
    ];
  });
}

/** Where a call goes that may pass; what was found by name, which passes for its own time, goes to `seen` alone. */
const passOf = (side: Side): string => `pass_${side}`;
const seenOf = (side: Side): string => `seen_${side}`;

/** The chains in which packets end; `judged` is the mark of connections that need not be judged again. */
function listChains(ward: Ward, judged: number): ReadonlyMap<string, readonly string[]> {
  const settle = `ct mark set ${judged}`;
  const { table, mode, asItself = false } = ward;
  const verdict = mode === "watch" ? "accept" : "drop";
  const { ingress, egress } = table;
  const outside = namesMark(table);
  const calls = (
    side: Side,
    judging: DirectionTable | undefined,
    address: "saddr" | "daddr",
  ): readonly string[] => {
    const pass = `goto ${passOf(side)}`;
    if (judging === undefined) return [pass];
    const named =
      side === "out" && outside !== undefined ? renderNamed(outside, `goto ${seenOf(side)}`) : [];
    return [
      ...named,
      ...renderJudge(side, address, "dport", pass),
      ...renderDenial(side, true, verdict),
    ];
  };
  const answers = (
    side: Side,
    judging: DirectionTable | undefined,
    address: "saddr" | "daddr",
  ): readonly string[] => {
    const pass = `${settle} accept`;
    if (judging === undefined) return [pass];
    const isNamed = side === "out" && outside !== undefined;
    return [
      ...(isNamed ? [`ct mark ${outside} accept`] : []),
      ...renderJudge(side, address, "sport", pass),
      ...renderDenial(side, false, verdict),
    ];
  };
  return new Map([
    ...(["in", "out"] as const).flatMap((side) => [
      [passOf(side), [settle, `goto ${seenOf(side)}`]] as const,
      [seenOf(side), renderSeen(side)] as const,
    ]),
    ["forged_out", renderDenial("out", true, asItself ? "drop" : verdict)],
    ["calls_in", calls("in", ingress, "saddr")],
    ["answers_out", answers("in", ingress, "daddr")],
    ["calls_out", calls("out", egress, "daddr")],
    ["answers_in", answers("out", egress, "saddr")],
  ]);
}

/** Neighbours have to be found, and errors about what was let pass have to come through. */
const ALWAYS = "ct state related meta l4proto { icmp, ipv6-icmp } accept";
const NEIGHBOURS_IN = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
const NEIGHBOURS_OUT =
  "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept";

/**
 * A program needs no rights to send under any IPv6 address (IPV6_FREEBIND). On a bridge its port is judged; elsewhere only these do. Own
 * addresses are those that the kernel has, a link-local one on that device; `::` is who has none yet. Of IPv4 the kernel sees to it.
 */
const AS_HIMSELF = [
  "ip6 saddr fe80::/10 fib saddr . oif type != local goto forged_out",
  "ip6 saddr != { ::, fe80::/10 } fib saddr type != local goto forged_out",
];

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
      ...AS_HIMSELF,
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
    ...([4, 6] as const).map(
      (family) =>
        `add set ${TABLE} ${namedSet(family)} { type ipv${family}_addr; size ${SIGHTS_MAX}; flags timeout; }`,
    ),
    ...sides.flatMap((side) => [
      ...listTables(side).map(({ kind, name, type }) => `add ${kind} ${TABLE} ${name} { ${type} }`),
      `add counter ${TABLE} ${side}_denied`,
      `add counter ${TABLE} ${side}_lost`,
      ...listSightSets(side).map(({ name, family, bare }) => {
        const type = `ipv${family}_addr . inet_proto${bare ? "" : " . inet_service"}`;
        return `add set ${TABLE} ${name} { type ${type}; size ${SIGHTS_MAX}; flags dynamic,timeout; timeout ${SIGHTS_FOR_SECONDS}s; counter; }`;
      }),
      ...[seenOf(side), passOf(side), `calls_${side}`, `answers_${side}`].map(
        (name) => `add chain ${TABLE} ${name}`,
      ),
    ]),
    `add chain ${TABLE} forged_out`,
    ...["input", "output"].map(
      (hook) =>
        `add chain ${TABLE} ${hook} { type filter hook ${hook} priority -20; policy ${policy}; }`,
    ),
  ];
}

/** Rules for who is isolated in nothing, and only held to his own addresses: no conversation is tracked for them. */
const HELD: ReadonlyMap<string, readonly string[]> = new Map([
  ["output", ['oifname "lo" accept', NEIGHBOURS_OUT, ...AS_HIMSELF]],
  ["forged_out", renderDenial("out", true, "drop")],
]);

/** Makes the table of a namespace anew, in one step; what was counted stays, and with `keepNamed` what was found by name. */
export function renderRules(
  ward: Ward,
  { keepNamed = false }: { readonly keepNamed?: boolean } = {},
): readonly string[] {
  const sides = [
    ["in", ward.table.ingress],
    ["out", ward.table.egress],
  ] as const;
  const elements = sides.flatMap(([side, table]) =>
    [...(table === undefined ? [] : listElements(side, table))].map(
      ([name, list]) => `add element ${TABLE} ${name} { ${list.join(", ")} }`,
    ),
  );
  const isHeldOnly = ward.mode === "enforce" && sides.every(([, table]) => table === undefined);
  const listRules = (judged: number): readonly string[] => {
    const known = [...BASE.keys()].map((hook) => [hook, [`ct mark ${judged} accept`]] as const);
    const all = isHeldOnly ? HELD : [...known, ...BASE, ...listChains(ward, judged)];
    return [...all].flatMap(([name, rules]) =>
      rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`),
    );
  };
  return [
    ...declare(ward.mode === "watch" || isHeldOnly ? "accept" : "drop"),
    `flush table ${TABLE}`,
    ...(keepNamed ? [] : ([4, 6] as const).map((one) => `flush set ${TABLE} ${namedSet(one)}`)),
    ...sides.flatMap(([side]) =>
      listTables(side).map(({ kind, name }) => `flush ${kind} ${TABLE} ${name}`),
    ),
    ...elements,
    ...listRules(rulesMark([...elements, ...listRules(0)])),
  ];
}
