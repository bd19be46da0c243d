// SPDX-License-Identifier: Apache-2.0
// What our objects in a namespace are called, and how classes of peers become packet marks.
import { createHash } from "node:crypto";
import type { VerdictTable } from "#policy/verdict-table.ts";

/** Family and name of the table that an instance has. */
export const TABLE = "inet fairlead";

/** `in`: what comes in is judged by it. `out`: what goes out. */
export type Side = "in" | "out";

/** The mark of a peer that may do everything. Marks live while a packet is judged, in the instance's own namespace. */
export const MARK_EVERYTHING = 1;
const MARK_FIRST = 2;

/** The mark of a class. */
export function markOf(index: number): number {
  return MARK_FIRST + index;
}

/** How nft calls protocols; ICMP is two. */
export const PROTOCOL_NAMES = {
  TCP: ["tcp"],
  UDP: ["udp"],
  SCTP: ["sctp"],
  ICMP: ["icmp", "ipv6-icmp"],
} as const;

/** What is remembered of conversations, so many kinds of each and for so long, s. */
export const SIGHTS_MAX = 4_096;
export const SIGHTS_FOR_SECONDS = 3_600;

/** A set of what was seen. Those that are `bare` have no ports, and hold also what the others have no room for. */
export interface SightSet {
  readonly name: string;
  readonly family: 4 | 6;
  readonly verdict: "allowed" | "denied";
  readonly bare: boolean;
}

/** The sets of what was seen on one side, in the order in which they are tried. */
export function listSightSets(side: Side): readonly SightSet[] {
  return (["allowed", "denied"] as const).flatMap((verdict) =>
    [false, true].flatMap((bare) =>
      ([4, 6] as const).map((family) => ({
        name: `${side}_${verdict === "denied" ? "denied" : "seen"}${bare ? "_bare" : ""}${family}`,
        family,
        verdict,
        bare,
      })),
    ),
  );
}

/** The highest bit is left out, so that it reads the same everywhere. */
function hashOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0) >>> 1;
}

/** Stands for the names that an instance may call: connections that begin by these names carry it. Odd; 0 is what others have. */
export function namesMark({ names = [] }: Pick<VerdictTable, "names">): number | undefined {
  return names.length === 0 ? undefined : hashOf(names.join(" ")) | 1;
}

/** Stands for rules, by their text: connections that were judged by just these and may go on carry it. Even, and not 0. */
export function rulesMark(rules: readonly string[]): number {
  return hashOf(rules.join("\n")) & ~1 || 2;
}

/** The set of addresses that were found by name, for as long as each is good. */
export function namedSet(family: 4 | 6): string {
  return `out_named${family}`;
}

/** Whether an object only counts or runs out, so that it differs from one time to the next. */
export function isCount(name: string): boolean {
  const isMemory = /^(?:talks|opening|heard|parts|begun)[46]/.test(name);
  return isMemory || /_(?:denied|seen|lost|named)|^(?:denied|held|spoofed)$/.test(name);
}

/** Maps and sets that hold what was compiled for one direction; each name begins with the prefix. */
export function listTables(
  prefix: string,
): readonly { name: string; kind: "map" | "set"; type: string }[] {
  return [
    { name: `${prefix}_hosts4`, kind: "map", type: "type ipv4_addr : mark;" },
    { name: `${prefix}_hosts6`, kind: "map", type: "type ipv6_addr : mark;" },
    { name: `${prefix}_blocks4`, kind: "map", type: "type ipv4_addr : mark; flags interval;" },
    { name: `${prefix}_blocks6`, kind: "map", type: "type ipv6_addr : mark; flags interval;" },
    { name: `${prefix}_protocols`, kind: "set", type: "type mark . inet_proto;" },
    { name: `${prefix}_ports`, kind: "set", type: "type mark . inet_proto . inet_service;" },
    {
      name: `${prefix}_ranges`,
      kind: "set",
      type: "type mark . inet_proto . inet_service; flags interval;",
    },
  ];
}
