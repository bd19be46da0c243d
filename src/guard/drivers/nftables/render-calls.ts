// SPDX-License-Identifier: Apache-2.0
// What instances may call, held once more in the host's namespace, at their bridge ports: packet sockets go past the rules inside,
// and who has NET_ADMIN can take those away. Only for those whose egress is isolated.
// This family has no connection tracker everywhere (a kernel module), so who began a conversation is remembered here: what came to a
// port may be answered, for as long as the tracker inside would let it. A call is judged as inside.
// In a bridge packets are not put together; parts after the first, which has the ports, pass by its number.
import { createHash } from "node:crypto";
import type { DirectionTable } from "#policy/verdict-table.ts";
import { listTables } from "./names.ts";
import { listElements, renderJudge } from "./render-judge.ts";
import type { Holder, Table } from "./render-table.ts";

/** Family and name of the table in the host's namespace. */
export const CALLS = "bridge fairlead_calls";

/** A bridge port whose owner may not call everybody. */
export interface CallerPort {
  readonly port: string;
  readonly egress: DirectionTable;
  /** Stands for the names that he may call besides. */
  readonly names: number | undefined;
}

/** What is remembered of a port's conversations. */
export interface Remembered {
  readonly port: string;
  readonly address: string;
  /** The conversation's, as nft calls it; without it the address may be called anyhow. */
  readonly flow?: { readonly protocol: string; readonly far: number; readonly near: number };
  /** The names that it was found by; undefined where the peer called. */
  readonly names: number | undefined;
  readonly seconds: number;
}

/** As long as the connection tracker keeps what stands, what ends, what begins and what has no end. */
const STANDS_S = 432_000;
const ENDS_S = 120;
const BEGINS_S = 60;
const DATAGRAMS_S = 180;
const ERRORS_S = 30;
const CONVERSATIONS_MAX = 65_536;
const PARTS_MAX = 4_096;

const FAMILIES = [
  { family: 4, ip: "ip", part: "ip id" },
  { family: 6, ip: "ip6", part: "frag id" },
] as const;

const keys = new WeakMap<DirectionTable, string>();

/** Equal tables have equal keys, so that they are made once. */
function keyOf(table: DirectionTable): string {
  const known = keys.get(table);
  if (known !== undefined) return known;
  const text = JSON.stringify([...listElements("", table)]);
  const key = `t${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  keys.set(table, key);
  return key;
}

/** Stands for what a port may call. */
export function callsKey({ egress, names }: Omit<CallerPort, "port">): string {
  return names === undefined ? keyOf(egress) : `${keyOf(egress)}_${names}`;
}

/** The set of addresses that were found by names, and that of what was begun by them. */
const namedSet = (names: number, family: 4 | 6): string => `out_named${family}_${names}`;
const begunSet = (names: number, family: 4 | 6): string => `begun${family}_${names}`;

type Ip = "ip" | "ip6";
/** A conversation as it goes out of a port, and as it comes: the port, the peer's address, protocol, its port, the own. */
const leaving = (ip: Ip): string => `iifname . ${ip} daddr . meta l4proto . th dport . th sport`;
const coming = (ip: Ip): string => `oifname . ${ip} saddr . meta l4proto . th sport . th dport`;

function keep(set: string, key: string, seconds: number): string {
  return `update @${set} { ${key} timeout ${seconds}s }`;
}

/** Prolongs what is known, by what a packet of it says. */
function renderKeeping(set: string, key: string): readonly string[] {
  return [
    `tcp flags & (fin | rst) != 0 ${keep(set, key, ENDS_S)} goto part`,
    `tcp flags & psh != 0 ${keep(set, key, STANDS_S)} goto part`,
    `meta l4proto { udp, sctp } ${keep(set, key, DATAGRAMS_S)} goto part`,
  ];
}

const COMMON: ReadonlyMap<string, readonly string[]> = new Map([
  ["prerouting", ["iifname vmap @callers"]],
  ["postrouting", ["oifname vmap @called"]],
  [
    // What goes out whatever may be called.
    "known",
    [
      "ether type arp accept",
      // These have no ports, though their first bytes may look like some.
      "ip frag-off & 0x1fff != 0 iifname . ip daddr . ip id @parts4 accept",
      "ip frag-off & 0x1fff != 0 counter name denied drop",
      "frag frag-off != 0 iifname . ip6 daddr . frag id @parts6 accept",
      "frag frag-off != 0 counter name denied drop",
      "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept",
      ...FAMILIES.flatMap(({ family, ip }) => [
        `${leaving(ip)} @talks${family} goto keep`,
        `${leaving(ip)} @opening${family} goto part`,
      ]),
      "icmp type { echo-reply, destination-unreachable, time-exceeded, parameter-problem } iifname . ip daddr @heard4 goto part",
      "icmpv6 type { echo-reply, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } iifname . ip6 daddr @heard6 goto part",
    ],
  ],
  [
    "keep",
    [
      ...FAMILIES.flatMap(({ family, ip }) => renderKeeping(`talks${family}`, leaving(ip))),
      "goto part",
    ],
  ],
  [
    "part",
    [
      "ip frag-off & 0x2000 != 0 update @parts4 { iifname . ip daddr . ip id }",
      "frag more-fragments 1 update @parts6 { iifname . ip6 daddr . frag id }",
      "accept",
    ],
  ],
  [
    // A connection is known from its first packet on, so that what an earlier policy let be called is not taken for a caller.
    "hear_tcp",
    FAMILIES.flatMap(({ family, ip }) => {
      const [talks, opening] = [`talks${family}`, `opening${family}`];
      const isTalk = `${coming(ip)} @${talks}`;
      return [
        `tcp flags & (fin | rst) != 0 ${isTalk} ${keep(talks, coming(ip), ENDS_S)} accept`,
        `tcp flags & psh != 0 ${isTalk} ${keep(talks, coming(ip), STANDS_S)} accept`,
        `tcp flags & (syn | ack) == syn add @${opening} { ${coming(ip)} } accept`,
        `tcp flags & (syn | ack) == ack ${coming(ip)} @${opening} ${keep(talks, coming(ip), STANDS_S)} delete @${opening} { ${coming(ip)} } accept`,
      ];
    }),
  ],
  [
    "hear",
    FAMILIES.flatMap(({ family, ip }) => {
      const heard = keep(`heard${family}`, `oifname . ${ip} saddr`, ERRORS_S);
      return [
        `meta l4proto { udp, sctp } ${keep(`talks${family}`, coming(ip), DATAGRAMS_S)} ${heard} accept`,
        `${family === 4 ? "icmp" : "icmpv6"} type echo-request ${heard} accept`,
      ];
    }),
  ],
]);

/** What goes out of, and comes to, ports of one kind. */
function listChains({ egress, names }: CallerPort): ReadonlyMap<string, readonly string[]> {
  const key = callsKey({ egress, names });
  const named = names === undefined ? [] : FAMILIES;
  return new Map([
    [
      `from_${key}`,
      [
        "jump known",
        ...named.flatMap(({ family, ip }) => {
          const [found, begun] = [namedSet(names ?? 0, family), begunSet(names ?? 0, family)];
          return [
            `iifname . ${ip} daddr @${found} ${keep(begun, leaving(ip), DATAGRAMS_S)} goto begun_${names}`,
            `${leaving(ip)} @${begun} goto begun_${names}`,
          ];
        }),
        ...renderJudge(keyOf(egress), "daddr", "dport", "goto part"),
        "counter name denied drop",
      ],
    ],
    [
      `to_${key}`,
      [
        "meta l4proto tcp goto hear_tcp",
        ...named.map(({ family, ip }) => `${coming(ip)} @${begunSet(names ?? 0, family)} accept`),
        ...renderJudge(keyOf(egress), "saddr", "sport", "accept"),
        "goto hear",
      ],
    ],
    ...(names === undefined
      ? []
      : [
          [
            `begun_${names}`,
            [
              ...named.flatMap(({ family, ip }) =>
                renderKeeping(begunSet(names, family), leaving(ip)),
              ),
              "goto part",
            ],
          ] as const,
        ]),
  ]);
}

const remembering = (name: string, type: string): Holder => ({ kind: "set", name, type });

function listMemory(marks: readonly number[]): readonly Holder[] {
  return FAMILIES.flatMap(({ family, ip, part }) => {
    const address = `ifname . ipv${family}_addr`;
    const flow = `type ${address} . inet_proto . inet_service . inet_service; size ${CONVERSATIONS_MAX}; flags dynamic,timeout; timeout`;
    const pair = `type ${address}; size ${CONVERSATIONS_MAX}; flags dynamic,timeout; timeout`;
    const parts = `typeof iifname . ${ip} daddr . ${part}; size ${PARTS_MAX}; flags dynamic,timeout; timeout ${ERRORS_S}s;`;
    return [
      remembering(`talks${family}`, `${flow} ${DATAGRAMS_S}s;`),
      remembering(`opening${family}`, `${flow} ${BEGINS_S}s;`),
      remembering(`heard${family}`, `${pair} ${ERRORS_S}s;`),
      remembering(`parts${family}`, parts),
      ...marks.flatMap((mark) => [
        remembering(namedSet(mark, family), `${pair} ${DATAGRAMS_S}s;`),
        remembering(begunSet(mark, family), `${flow} ${DATAGRAMS_S}s;`),
      ]),
    ];
  });
}

const BASE = ["prerouting", "postrouting"];

/** What may be called from these ports as a table; what is remembered of conversations stays. */
export function describeCalls(callers: readonly CallerPort[]): Table {
  const marks = [...new Set(callers.flatMap(({ names }) => names ?? []))];
  const tables = new Map(callers.map(({ egress }) => [keyOf(egress), egress]));
  const kinds = new Map(callers.map((caller) => [callsKey(caller), caller]));
  const chains = new Map([
    ...COMMON,
    ...[...kinds.values()].flatMap((caller) => [...listChains(caller)]),
  ]);
  const compiled = [...tables].flatMap(([key, egress]) => {
    const elements = listElements(key, egress);
    return listTables(key).map((one) => ({ ...one, elements: elements.get(one.name) ?? [] }));
  });
  const door = (name: string, way: "from" | "to"): Holder => ({
    kind: "map",
    name,
    type: "type ifname : verdict;",
    elements: callers.map((caller) => `"${caller.port}" : goto ${way}_${callsKey(caller)}`),
  });
  return {
    id: CALLS,
    counters: ["denied"],
    holders: [...listMemory(marks), ...compiled, door("callers", "from"), door("called", "to")],
    chains: [...chains].map(([name, rules]) =>
      BASE.includes(name)
        ? { name, rules, hook: `type filter hook ${name} priority -290; policy accept;` }
        : { name, rules },
    ),
  };
}

/** Remembers for ports what is known from elsewhere; what is remembered already, for as long as said from now on. */
export function renderMemory(news: readonly Remembered[]): readonly string[] {
  return news.flatMap(({ port, address, flow, names, seconds }) => {
    const family = address.includes(":") ? 6 : 4;
    const set =
      flow === undefined
        ? namedSet(names ?? 0, family)
        : names === undefined
          ? `talks${family}`
          : begunSet(names, family);
    const peer = `"${port}" . ${address}`;
    const key =
      flow === undefined ? peer : `${peer} . ${flow.protocol} . ${flow.far} . ${flow.near}`;
    return [
      `add element ${CALLS} ${set} { ${key} timeout ${seconds}s }`,
      `delete element ${CALLS} ${set} { ${key} }`,
      `add element ${CALLS} ${set} { ${key} timeout ${seconds}s }`,
    ];
  });
}
