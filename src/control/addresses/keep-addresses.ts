// SPDX-License-Identifier: Apache-2.0
// Gives services their addresses, and takes them back. Several nodes may be at it at once: conditions of the store decide.
import { isDeepStrictEqual } from "node:util";
import { chooseAddress } from "#balance/choose-address.ts";
import { isIpv4 } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import type { StoreCondition, StoreOperation } from "#store/store.ts";
import {
  AddressEntry,
  addressAt,
  serviceAt,
  SHELF_ROOM,
  type AddressShelf,
} from "./address-shelf.ts";

/** Each time another node was first at one of them. */
const TRIES = 20;

/** A service that is to have an address. */
export interface AddressWish {
  /** `SCOPE/SERVICE`. */
  readonly key: string;
  readonly local: boolean;
  readonly sticky: boolean;
  readonly ipv6: boolean;
}

function hasIpv6(service: ServiceIntent, intent: Intent): boolean {
  if (service.network.kind !== "networks") return false;
  const used = new Set(service.network.attachments.map(({ network }) => network));
  return intent.networks.some(({ key, enableIpv6 }) => enableIpv6 && used.has(key));
}

/** The services of an intent that are to have an address. */
export function listWishes(intent: Intent): readonly AddressWish[] {
  return intent.services.flatMap((service): AddressWish[] => {
    const { name, address } = service;
    if (address === undefined) return [];
    const { local, sticky, ipv6 } = address;
    const key = `${intent.scope}/${name}`;
    return [{ key, local, sticky, ipv6: ipv6 || hasIpv6(service, intent) }];
  });
}

/** All services that have an address, by `SCOPE/SERVICE`. */
export function listAddresses(
  shelf: Pick<AddressShelf, "list">,
): ReadonlyMap<string, AddressEntry> {
  const found = [...shelf.list(SHELF_ROOM)].flatMap(([key, { value }]) => {
    const entry = key.startsWith("of/") ? AddressEntry.safeParse(value).data : undefined;
    return entry === undefined ? [] : [[key.slice("of/".length), entry] as const];
  });
  return new Map(found);
}

interface Claim {
  readonly entry: AddressEntry;
  readonly operations: readonly StoreOperation[];
  readonly conditions: readonly StoreCondition[];
}

/** Throws FL0722 `addresses-exhausted`. */
function planClaim(wish: AddressWish, ranges: readonly string[], shelf: AddressShelf): Claim {
  const before = shelf.get(serviceAt(wish.key));
  const had = AddressEntry.safeParse(before?.value).data?.addresses ?? [];
  const operations: StoreOperation[] = [];
  const conditions = [{ key: serviceAt(wish.key), revision: before?.revision ?? 0 }];
  const addresses: string[] = [];
  for (const isFour of wish.ipv6 ? [true, false] : [true]) {
    const kept = had.find((address) => isIpv4(address) === isFour);
    if (kept !== undefined) addresses.push(kept);
    if (kept !== undefined) continue;
    const range = ranges.find((one) => !one.includes(":") === isFour);
    if (range === undefined && !isFour) continue;
    const isTaken = (address: string): boolean => shelf.get(addressAt(address)) !== undefined;
    const address = range === undefined ? undefined : chooseAddress(range, wish.key, isTaken);
    if (address === undefined)
      throw new FairleadError(
        controlErrors["addresses-exhausted"],
        `no address is free for ${wish.key} in ${range ?? "serviceAddresses"}`,
      );
    addresses.push(address);
    operations.push({ kind: "put", key: addressAt(address), value: { key: wish.key } });
    conditions.push({ key: addressAt(address), revision: 0 });
  }
  const entry = { addresses, local: wish.local, sticky: wish.sticky };
  operations.push({ kind: "put", key: serviceAt(wish.key), value: entry });
  return { entry, operations, conditions };
}

/**
 * Makes the store say of a service what is wished; the addresses that it has stay. Undefined when it says so already.
 * Throws FL0722 `addresses-exhausted`, and what the store throws.
 */
export async function giveAddress(
  wish: AddressWish,
  ranges: readonly string[],
  shelf: AddressShelf,
): Promise<AddressEntry | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const { entry, operations, conditions } = planClaim(wish, ranges, shelf);
    if (isDeepStrictEqual(shelf.get(serviceAt(wish.key))?.value, entry)) return undefined;
    if ((await shelf.write(operations, conditions)) !== undefined) return entry;
  }
  throw new FairleadError(controlErrors["act-failed"], `other nodes claim addresses all the time`);
}

/** Takes back what a service has; false where another node was first. Throws what the store throws. */
export async function takeAddress(key: string, shelf: AddressShelf): Promise<boolean> {
  const entry = shelf.get(serviceAt(key));
  if (entry === undefined) return false;
  const addresses = AddressEntry.safeParse(entry.value).data?.addresses ?? [];
  const keys = [serviceAt(key), ...addresses.map(addressAt)];
  const operations = keys.map((one): StoreOperation => ({ kind: "delete", key: one }));
  const conditions = [{ key: serviceAt(key), revision: entry.revision }];
  return (await shelf.write(operations, conditions)) !== undefined;
}
