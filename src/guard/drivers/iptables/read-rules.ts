// SPDX-License-Identifier: Apache-2.0
// What stands in a namespace, asked as the kernel would: a packet goes through the chains as they are, not as we wanted them to be.
import { parseAddress } from "#base/addresses.ts";
import type { Installed, Question } from "#guard/guard.ts";
import { endOf, HOOKS, PREFIX } from "./names.ts";
import { isHooked, type Standing } from "./read-table.ts";

const PROTOCOLS = { TCP: "tcp", UDP: "udp", SCTP: "sctp" } as const;
/** No way through is longer: the chains are a tree. */
const STEPS_MAX = 10_000;

/** What stands in both families. */
export type Tables = Readonly<Record<4 | 6, Standing>>;

function listTables(tables: Tables): readonly Standing[] {
  return [tables[4], tables[6]];
}

type Address = ReturnType<typeof parseAddress>;

/** The first packet of a conversation. */
interface Packet {
  readonly peer: NonNullable<Address>;
  readonly isIngress: boolean;
  readonly protocol: string;
  readonly port: number;
}

function isWithin({ value }: NonNullable<Address>, range: string): boolean {
  const [first, last] = range.split("-").map(parseAddress);
  return first !== undefined && last !== undefined && first.value <= value && value <= last.value;
}

/** `10.0.0.1/32`, `10.0.0.1`. */
function isOfBlock({ family, value }: NonNullable<Address>, block: string): boolean {
  const [address = "", prefix] = block.split("/");
  const first = parseAddress(address);
  const bits = family === 4 ? 32 : 128;
  const shift = BigInt(bits - Number(prefix ?? bits));
  return first !== undefined && first.value >> shift === value >> shift;
}

function hasPort(list: string, port: number): boolean {
  return list.split(",").some((one) => {
    const [first, last = first] = one.split(":").map(Number);
    return first !== undefined && last !== undefined && first <= port && port <= last;
  });
}

/** Whether one condition of a rule holds; undefined for a word that is none. */
const CONDITIONS: Readonly<Record<string, (value: string, packet: Packet) => boolean>> = {
  "-s": (value, { peer, isIngress }) => isIngress && isOfBlock(peer, value),
  "-d": (value, { peer, isIngress }) => !isIngress && isOfBlock(peer, value),
  "--src-range": (value, { peer, isIngress }) => isIngress && isWithin(peer, value),
  "--dst-range": (value, { peer, isIngress }) => !isIngress && isWithin(peer, value),
  "-p": (value, { protocol }) => value === protocol,
  "--dports": (value, { port }) => hasPort(value, port),
  "--ctstate": (value) => value === "NEW",
  "-m": () => true,
};

interface ReadRule {
  readonly matches: boolean;
  readonly target: string;
}

/** What no condition of ours is does not match: nothing is said to pass that was not understood. */
function readRule(text: string, packet: Packet): ReadRule {
  const words = text.split(" ");
  let matches = true;
  for (let at = 0; at < words.length; at += 2) {
    const [word = "", value = ""] = words.slice(at, at + 2);
    if (word === "-j" || word === "-g") return { matches, target: value };
    matches &&= CONDITIONS[word]?.(value, packet) ?? false;
  }
  return { matches: false, target: "" };
}

function allows({ chains }: Standing, packet: Packet): boolean {
  let chain = `${PREFIX}${packet.isIngress ? "INPUT" : "OUTPUT"}`;
  const denied = endOf(packet.isIngress ? "in" : "out", "denied");
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if (chain === denied) return false;
    const rules = chains.get(chain) ?? [];
    const found = rules.map(({ text }) => readRule(text, packet)).find(({ matches }) => matches);
    // What comes to the end of a chain goes back to the built-in one, as with RETURN.
    if (found === undefined || found.target === "RETURN" || found.target === "ACCEPT") return true;
    if (found.target === "DROP") return false;
    chain = found.target;
  }
  return false;
}

/** Packets that came to an end so far. */
export interface Counts {
  readonly denied: { readonly ingress: number; readonly egress: number };
  /** That began a conversation, or where no more is known. */
  readonly passed: number;
}

/** What rules count that stand. */
export function readCounts(tables: Tables): Counts {
  const count = (side: "in" | "out", end: "passed" | "denied"): number =>
    listTables(tables).reduce(
      (sum, { chains }) => sum + (chains.get(endOf(side, end))?.[0]?.packets ?? 0),
      0,
    );
  return {
    denied: { ingress: count("in", "denied"), egress: count("out", "denied") },
    passed: count("in", "passed") + count("out", "passed"),
  };
}

/** Both together. */
export function addCounts(a: Counts, b: Counts): Counts {
  return {
    denied: {
      ingress: a.denied.ingress + b.denied.ingress,
      egress: a.denied.egress + b.denied.egress,
    },
    passed: a.passed + b.passed,
  };
}

/** What tables of both families come to; undefined when either judges nothing. `before`: what was counted by rules that these replaced. */
export function readRules(tables: Tables, before: Counts): Installed | undefined {
  const all = listTables(tables);
  if (!all.every((one) => HOOKS.every((hook) => isHooked(one, hook)))) return undefined;
  const drops = all.every(({ chains }) =>
    (["in", "out"] as const).every((side) =>
      chains.get(endOf(side, "denied"))?.some(({ text }) => text === "-j DROP"),
    ),
  );
  const { denied, passed } = addCounts(before, readCounts(tables));
  return {
    drops,
    allows({ direction, address, protocol, port }: Question) {
      const peer = parseAddress(address);
      if (peer === undefined) return false;
      const name =
        protocol === "ICMP" ? (peer.family === 4 ? "icmp" : "ipv6-icmp") : PROTOCOLS[protocol];
      const packet = { peer, isIngress: direction === "ingress", protocol: name, port };
      return allows(tables[peer.family], packet);
    },
    denied,
    // Conversations are counted, but not by their peers: there are no sets to count them in.
    sights: [],
    lost: passed,
  };
}
