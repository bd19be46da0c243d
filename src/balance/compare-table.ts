// SPDX-License-Identifier: Apache-2.0
// Whether what nft lists is the table that is wanted. Pure.
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import type { NftObject } from "#netfilter/netfilter.ts";
import type { BalanceTable } from "./plan-table.ts";
import { countFrame, MAPS, nameChain } from "./render-table.ts";

const Verdict = z.object({ goto: z.object({ target: z.string() }) });
const MapObject = z.object({
  name: z.string(),
  elem: z.array(z.tuple([z.string(), Verdict])).optional(),
});
const Address = z.union([
  z.string(),
  z.object({
    map: z.object({
      data: z.object({ set: z.array(z.tuple([z.number(), z.string()])) }),
    }),
  }),
]);
const Gift = z.object({ dnat: z.object({ family: z.enum(["ip", "ip6"]), addr: Address }) });
const Rule = z.object({ chain: z.string(), expr: z.array(z.unknown()) });

/** An address however it is written. */
function normalise(text: string): string {
  const parsed = parseAddress(text);
  return parsed === undefined ? text : formatAddress(parsed.family, parsed.value);
}

const list = (targets: readonly string[]): string => targets.map(normalise).toSorted().join(" ");

/** One rule as far as it matters: to whom it gives, or only that it is there. */
function readRule(expr: readonly unknown[]): string {
  const gift = expr.length === 1 ? Gift.safeParse(expr[0]).data?.dnat : undefined;
  if (gift === undefined) return "rule";
  const { family, addr } = gift;
  const targets = typeof addr === "string" ? [addr] : addr.map.data.set.map(([, text]) => text);
  return `${family} ${list(targets)}`;
}

function readTable(objects: readonly NftObject[]): {
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly elements: ReadonlyMap<string, string>;
} {
  const chains = new Map<string, string[]>();
  const elements = new Map<string, string>();
  for (const object of objects) {
    const { chain, rule, map } = object;
    if (chain !== undefined) chains.set(String(chain["name"]), []);
    const read = Rule.safeParse(rule).data;
    if (read !== undefined) chains.get(read.chain)?.push(readRule(read.expr));
    const found = MapObject.safeParse(map).data;
    for (const [address, verdict] of found?.elem ?? [])
      elements.set(`${found?.name} ${normalise(address)}`, verdict.goto.target);
  }
  return { chains, elements };
}

function expectTable(table: BalanceTable): ReturnType<typeof readTable> {
  const chains = new Map<string, string[]>();
  const elements = new Map<string, string>();
  for (const [name, count] of countFrame(table))
    chains.set(
      name,
      Array.from({ length: count }, () => "rule"),
    );
  for (const { key, addresses, targets4, targets6 } of table.services) {
    const rules = [
      ...(targets4.length === 0 ? [] : [`ip ${list(targets4)}`]),
      ...(targets6.length === 0 ? [] : [`ip6 ${list(targets6)}`]),
    ];
    chains.set(nameChain(key), rules);
    for (const address of addresses)
      elements.set(`${MAPS[address.includes(":") ? 6 : 4]} ${normalise(address)}`, nameChain(key));
  }
  return { chains, elements };
}

/** True when the objects that nft lists of the table are what `renderTable` makes. */
export function isTable(objects: readonly NftObject[], table: BalanceTable): boolean {
  return isDeepStrictEqual(readTable(objects), expectTable(table));
}
