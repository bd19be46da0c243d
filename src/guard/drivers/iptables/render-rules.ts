// SPDX-License-Identifier: Apache-2.0
// A verdict table as chains of one family's table `filter`. As with nft every packet is judged, what comes back by the table that let
// the call go. Maps are missing here: addresses are looked for in a tree of ranges, so that what a packet costs grows with the
// logarithm of their number.
// Every way through ends by itself, with RETURN or in a chain that denies: nothing hangs on what comes after a chain, and what passes
// goes on to rules that the instance may have of its own.
import { formatAddress } from "#base/addresses.ts";
import type { Ward } from "#guard/guard.ts";
import type { AddressRange, DirectionTable, PortClass } from "#policy/verdict-table.ts";
import { endOf, PREFIX, rootOf, type Kind, type Side } from "./names.ts";
import { spreadRanges } from "./spread-ranges.ts";

/** Rules by chain. */
export type Chains = ReadonlyMap<string, readonly string[]>;

const PORT_MAX = 65_535;
/** Ranges in one chain. */
const FAN = 8;
/** Ports that one rule takes; a range is two. */
const MULTIPORT_MAX = 15;

const PROTOCOLS = { TCP: "tcp", UDP: "udp", SCTP: "sctp" } as const;
const ICMP = { 4: "icmp", 6: "ipv6-icmp" } as const;
/** Neighbours have to be found: solicitations, advertisements, and reports of who listens to whom. */
const NEIGHBOURS = { INPUT: [135, 136], OUTPUT: [135, 136, 143] } as const;

/** One direction of a table as one of its two kinds of packets meets it. */
interface Judging {
  readonly family: 4 | 6;
  readonly root: string;
  /** Where in a packet the peer is, and the called port. */
  readonly peer: "src" | "dst";
  readonly port: "sports" | "dports";
  readonly pass: string;
  readonly deny: string;
}

function listPorts(own: PortClass, protocol: keyof typeof PROTOCOLS): readonly string[] {
  const ranges = own.ranges.filter((range) => range.protocol === protocol);
  if (ranges.some(({ first, last }) => first <= 1 && last === PORT_MAX)) return [""];
  const lists: { words: string[]; slots: number }[] = [];
  for (const { first, last } of ranges) {
    const slots = first === last ? 1 : 2;
    let list = lists.at(-1);
    if (list === undefined || list.slots + slots > MULTIPORT_MAX)
      lists.push((list = { words: [], slots: 0 }));
    list.words.push(slots === 1 ? String(first) : `${first}:${last}`);
    list.slots += slots;
  }
  return lists.map(({ words }) => words.join(","));
}

/** The chain of what peers of one class may do. */
function renderClass(own: PortClass, { family, port, pass, deny }: Judging): readonly string[] {
  const protocols = Object.keys(PROTOCOLS) as (keyof typeof PROTOCOLS)[];
  const rules = protocols.flatMap((protocol) =>
    listPorts(own, protocol).map((ports) => {
      const some = ports === "" ? "" : ` -m multiport --${port} ${ports}`;
      return `-p ${PROTOCOLS[protocol]}${some} ${pass}`;
    }),
  );
  const pings = own.ranges.some(({ protocol }) => protocol === "ICMP");
  return [...rules, ...(pings ? [`-p ${ICMP[family]} ${pass}`] : []), deny];
}

function matchRange(family: 4 | 6, first: bigint, last: bigint, peer: "src" | "dst"): string {
  const [from, to] = [formatAddress(family, first), formatAddress(family, last)];
  return from === to
    ? `-${peer === "src" ? "s" : "d"} ${from}`
    : `-m iprange --${peer}-range ${from}-${to}`;
}

/**
 * How many ranges each rule of a chain stands for, so that the chains below are full: the programs of iptables take a time that grows
 * with the square of the number of chains.
 */
function sizeParts(count: number): number {
  let size = 1;
  while (size * FAN < count) size *= FAN;
  return size;
}

/** Chains that find an address's class among ranges in order, and what its class may do. */
function renderTree(table: DirectionTable, judging: Judging): Chains {
  const { family, root, peer, pass, deny } = judging;
  const chains = new Map<string, readonly string[]>();
  let count = 0;
  const goToClass = (index: number): string => {
    const own = table.classes[index];
    if (own?.everything === true) return pass;
    const name = `${root}-C${index}`;
    if (own !== undefined && !chains.has(name)) chains.set(name, renderClass(own, judging));
    return own === undefined ? deny : `-g ${name}`;
  };
  const grow = (name: string, ranges: readonly AddressRange[]): void => {
    const size = sizeParts(ranges.length);
    const rules = Array.from({ length: Math.min(FAN, ranges.length) }, (_, index) => {
      const part = ranges.slice(index * size, (index + 1) * size);
      const [first, last] = [part[0], part.at(-1)];
      if (first === undefined || last === undefined) return "";
      const match = matchRange(family, first.first, last.last, peer);
      if (part.length === 1) return `${match} ${goToClass(first.class)}`;
      count += 1;
      const child = `${root}-${count}`;
      grow(child, part);
      return `${match} -g ${child}`;
    });
    chains.set(name, [...rules.filter((rule) => rule !== ""), deny]);
  };
  grow(root, spreadRanges(table, family));
  return chains;
}

function renderSide(
  side: Side,
  table: DirectionTable | undefined,
  family: 4 | 6,
  mode: Ward["mode"],
): Chains {
  const judge = (kind: Kind): Chains => {
    const root = rootOf(side, kind);
    const isCall = kind === "calls";
    const pass = isCall ? `-g ${endOf(side, "passed")}` : "-j RETURN";
    if (table === undefined) return new Map([[root, [pass]]]);
    return renderTree(table, {
      family,
      root,
      peer: (side === "in") === isCall ? "src" : "dst",
      port: isCall ? "dports" : "sports",
      pass,
      deny: `-g ${endOf(side, "denied")}`,
    });
  };
  return new Map([
    // What begins a conversation is counted.
    [endOf(side, "passed"), ["-m conntrack --ctstate NEW -j RETURN", "-j RETURN"]],
    [endOf(side, "denied"), [mode === "watch" ? "-j RETURN" : "-j DROP"]],
    ...judge("calls"),
    ...judge("answers"),
  ]);
}

/** A program needs no rights to send under any IPv6 address (IPV6_FREEBIND); `::` is who has none yet. */
const FORGED = "! -s ::/128 -m addrtype ! --src-type LOCAL";

function renderHook(
  hook: "INPUT" | "OUTPUT",
  family: 4 | 6,
  { mode, asItself = false }: Ward,
): readonly string[] {
  const isDropped = mode === "watch" && asItself;
  const forged = `${FORGED} ${isDropped ? "-j DROP" : `-g ${endOf("out", "denied")}`}`;
  const [own, other] = hook === "INPUT" ? (["in", "out"] as const) : (["out", "in"] as const);
  const neighbours = NEIGHBOURS[hook].map(
    (type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j RETURN`,
  );
  return [
    `${hook === "INPUT" ? "-i" : "-o"} lo -j RETURN`,
    ...(family === 6 ? neighbours : []),
    ...(family === 6 && hook === "OUTPUT" ? [forged] : []),
    // Errors about what was let pass.
    `-p ${ICMP[family]} -m conntrack --ctstate RELATED -j RETURN`,
    `-m conntrack --ctdir REPLY -g ${rootOf(other, "answers")}`,
    `-g ${rootOf(own, "calls")}`,
  ];
}

/** The chains of an instance, of one family. */
export function renderRules(ward: Ward, family: 4 | 6): Chains {
  const { mode, table } = ward;
  return new Map([
    [`${PREFIX}INPUT`, renderHook("INPUT", family, ward)],
    [`${PREFIX}OUTPUT`, renderHook("OUTPUT", family, ward)],
    ...renderSide("in", table.ingress, family, mode),
    ...renderSide("out", table.egress, family, mode),
  ]);
}
