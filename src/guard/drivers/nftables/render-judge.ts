// SPDX-License-Identifier: Apache-2.0
// One direction of a verdict table as maps and sets, and the rules that look a packet up in them: its address gives a mark, mark
// with protocol and port give the verdict.
import { formatAddress } from "#base/addresses.ts";
import type { DirectionTable } from "#policy/verdict-table.ts";
import { MARK_EVERYTHING, markOf, PROTOCOL_NAMES } from "./names.ts";

const PORT_MAX = 65_535;

function mark(table: DirectionTable, index: number): number {
  return table.classes[index]?.everything === true ? MARK_EVERYTHING : markOf(index);
}

/** Elements of a table by the names of its maps and sets, see `listTables`. */
export function listElements(
  prefix: string,
  table: DirectionTable,
): ReadonlyMap<string, readonly string[]> {
  const elements = new Map<string, string[]>();
  const add = (name: string, element: string): void => {
    const list = elements.get(name);
    if (list === undefined) elements.set(name, [element]);
    else list.push(element);
  };
  for (const [address, index] of table.hosts)
    add(`${prefix}_hosts${address.includes(":") ? 6 : 4}`, `${address} : ${mark(table, index)}`);
  for (const { family, first, last, class: index } of table.blocks) {
    const [from, to] = [formatAddress(family, first), formatAddress(family, last)];
    const range = from === to ? from : `${from}-${to}`;
    add(`${prefix}_blocks${family}`, `${range} : ${mark(table, index)}`);
  }
  for (const [index, { ranges }] of table.classes.entries())
    for (const { protocol, first, last } of ranges)
      for (const name of PROTOCOL_NAMES[protocol]) {
        const key = `${markOf(index)} . ${name}`;
        if (protocol === "ICMP" || (first <= 1 && last === PORT_MAX))
          add(`${prefix}_protocols`, key);
        else if (first === last) add(`${prefix}_ports`, `${key} . ${first}`);
        else add(`${prefix}_ranges`, `${key} . ${first}-${last}`);
      }
  return elements;
}

/** Rules that judge by one table, of this prefix: `address` and `port` say where in the packet the peer and the called port are. */
export function renderJudge(
  prefix: string,
  address: "saddr" | "daddr",
  port: "dport" | "sport",
  pass: string,
): string[] {
  return [
    "meta mark set 0",
    `meta mark set ip ${address} map @${prefix}_blocks4`,
    `meta mark set ip6 ${address} map @${prefix}_blocks6`,
    `meta mark set ip ${address} map @${prefix}_hosts4`,
    `meta mark set ip6 ${address} map @${prefix}_hosts6`,
    `meta mark ${MARK_EVERYTHING} meta mark set 0 ${pass}`,
    `meta mark . meta l4proto @${prefix}_protocols meta mark set 0 ${pass}`,
    `meta mark . meta l4proto . th ${port} @${prefix}_ports meta mark set 0 ${pass}`,
    `meta mark . meta l4proto . th ${port} @${prefix}_ranges meta mark set 0 ${pass}`,
    "meta mark set 0",
  ];
}
