// SPDX-License-Identifier: Apache-2.0
// A table as commands of nft: whole, or what makes one out of another. Pure but for how names are spelt.
import { isDeepStrictEqual } from "node:util";
import { isIpv4 } from "#base/addresses.ts";
import { spellName } from "#netfilter/spell-name.ts";
import type { BalanceTable, TableService } from "./plan-table.ts";

export const TABLE = "fairlead_services";
const PLACE = `inet ${TABLE}`;
/** Elements in one command: a line that a person can still read in a complaint of nft. */
const ELEMENTS_MAX = 200;

export const MAPS = { 4: "services4", 6: "services6" } as const;

/** The chain of a service. */
export function nameChain(key: string): string {
  return spellName("s", key);
}

function renderGift(family: "ip" | "ip6", targets: readonly string[]): string | undefined {
  if (targets.length === 0) return undefined;
  const [only] = targets;
  if (targets.length === 1) return `dnat ${family} to ${only}`;
  const numbered = targets.map((target, i) => `${i} : ${target}`).join(", ");
  return `dnat ${family} to numgen random mod ${targets.length} map { ${numbered} }`;
}

/** Rules of a chain per family: a chain without one leaves the packet as it is, and it is refused. */
function renderRules({ key, targets4, targets6 }: TableService): string[] {
  return [renderGift("ip", targets4), renderGift("ip6", targets6)].flatMap((rule) =>
    rule === undefined ? [] : [`add rule ${PLACE} ${nameChain(key)} ${rule}`],
  );
}

interface Element {
  readonly map: string;
  readonly address: string;
  readonly chain: string;
}

function listElements(services: readonly TableService[]): readonly Element[] {
  return services.flatMap(({ key, addresses }) =>
    addresses.map((address) => ({
      map: MAPS[isIpv4(address) ? 4 : 6],
      address,
      chain: nameChain(key),
    })),
  );
}

function renderElements(verb: "add" | "delete", elements: readonly Element[]): string[] {
  return [...Map.groupBy(elements, ({ map }) => map)].flatMap(([map, all]) => {
    const commands: string[] = [];
    for (let at = 0; at < all.length; at += ELEMENTS_MAX) {
      const some = all
        .slice(at, at + ELEMENTS_MAX)
        .map(({ address, chain }) => (verb === "add" ? `${address} : goto ${chain}` : address));
      commands.push(`${verb} element ${PLACE} ${map} { ${some.join(", ")} }`);
    }
    return commands;
  });
}

function addServices(services: readonly TableService[]): string[] {
  return [
    ...services.map(({ key }) => `add chain ${PLACE} ${nameChain(key)}`),
    ...services.flatMap(renderRules),
    ...renderElements("add", listElements(services)),
  ];
}

const matchRange = (range: string): string =>
  `${range.includes(":") ? "ip6" : "ip"} daddr ${range}`;

/**
 * A packet of a new connection meets `give`, where one look-up finds its service's chain. What is still for an address
 * of the ranges then has nobody, and is refused at once, not carried away. What would leave by an interface with the
 * address of another, because it was on its way to the default route before, gets the address of that interface.
 */
function renderFrame({ ranges, isHost }: BalanceTable): string[] {
  const refuse = ranges.map((range) => `${matchRange(range)} reject`);
  const chain = (name: string, hook: string, rules: readonly string[]): string[] => [
    `add chain ${PLACE} ${name} { ${hook}; }`,
    ...rules.map((rule) => `add rule ${PLACE} ${name} ${rule}`),
  ];
  const own = 'oifname != "lo" ct status dnat fib saddr . oif type != local masquerade';
  return [
    `add map ${PLACE} ${MAPS[4]} { type ipv4_addr : verdict; }`,
    `add map ${PLACE} ${MAPS[6]} { type ipv6_addr : verdict; }`,
    ...chain("give", "type nat hook output priority -100", [
      `ip daddr vmap @${MAPS[4]}`,
      `ip6 daddr vmap @${MAPS[6]}`,
    ]),
    ...chain("refuse", "type filter hook output priority 0", refuse),
    ...chain("own", "type nat hook postrouting priority 100", [own]),
    ...(isHost ? chain("pass", "type filter hook forward priority -10", refuse) : []),
  ];
}

/** How many rules each chain of the frame has. */
export function countFrame({ ranges, isHost }: BalanceTable): ReadonlyMap<string, number> {
  const counts = new Map([
    ["give", 2],
    ["refuse", ranges.length],
    ["own", 1],
  ]);
  if (isHost) counts.set("pass", ranges.length);
  return counts;
}

/** The whole table in the place of whatever stands there. */
export function renderTable(table: BalanceTable): string[] {
  return [
    `add table ${PLACE}`,
    `delete table ${PLACE}`,
    `add table ${PLACE}`,
    ...renderFrame(table),
    ...addServices(table.services),
  ];
}

/** No table, whether or not there is one. */
export function renderNothing(): string[] {
  return [`add table ${PLACE}`, `delete table ${PLACE}`];
}

/** What makes `after` out of `before`; empty where they are the same. */
export function renderChanges(before: BalanceTable, after: BalanceTable): string[] {
  if (before.isHost !== after.isHost || !isDeepStrictEqual(before.ranges, after.ranges))
    return renderTable(after);
  const former = new Map(before.services.map((service) => [service.key, service]));
  const next = new Map(after.services.map((service) => [service.key, service]));
  const gone = before.services.filter(({ key }) => !next.has(key));
  const fresh = after.services.filter(({ key }) => !former.has(key));
  const commands: string[] = [];
  const lost = [...listElements(gone)];
  const won: Element[] = [];
  for (const service of after.services) {
    const was = former.get(service.key);
    if (was === undefined || isDeepStrictEqual(was, service)) continue;
    commands.push(`flush chain ${PLACE} ${nameChain(service.key)}`, ...renderRules(service));
    const isKept = (address: string, other: TableService): boolean =>
      other.addresses.includes(address);
    lost.push(...listElements([was]).filter(({ address }) => !isKept(address, service)));
    won.push(...listElements([service]).filter(({ address }) => !isKept(address, was)));
  }
  return [
    ...renderElements("delete", lost),
    ...commands,
    ...gone.flatMap(({ key }) => [
      `flush chain ${PLACE} ${nameChain(key)}`,
      `delete chain ${PLACE} ${nameChain(key)}`,
    ]),
    ...addServices(fresh),
    ...renderElements("add", won),
  ];
}
