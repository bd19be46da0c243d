// SPDX-License-Identifier: Apache-2.0
// What is wanted on a host, and how that differs from what is there. Pure. What other nodes have written is looked at
// before it is believed: an entry that is none, or that takes from another what is his, is refused.
import { isDeepStrictEqual } from "node:util";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import type {
  OverlayAttachment,
  OverlayChange,
  OverlayEndpoint,
  OverlayEntry,
  OverlayFact,
} from "./overlay.ts";

/** An endpoint that was not believed, and why, as the end of a sentence. */
export interface RefusedEndpoint {
  readonly endpoint: OverlayEndpoint;
  readonly why: string;
}

/** The entries a device has to have. */
export interface WantedEntries {
  readonly entries: readonly OverlayEntry[];
  readonly refused: readonly RefusedEndpoint[];
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const NO_MAC = "00:00:00:00:00:00";

/** A MAC that belongs to one: not to a group, and not the one by which a device floods. */
function isUnicastMac(mac: string): boolean {
  return MAC.test(mac) && mac !== NO_MAC && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

/** One spelling for each address, the kernel's. Undefined for what is none. */
export function normalizeAddress(text: string): string | undefined {
  const parsed = parseAddress(text);
  return parsed === undefined ? undefined : formatAddress(parsed.family, parsed.value);
}

/** The same in one spelling; or why it is no endpoint for a host of that address. */
function normalize(endpoint: OverlayEndpoint, own: string): OverlayEndpoint | string {
  const mac = endpoint.mac.toLowerCase();
  const host = normalizeAddress(endpoint.host);
  const addresses = endpoint.addresses.flatMap((address) => normalizeAddress(address) ?? []);
  if (host === undefined) return "its host has no address";
  // A device has one family outside.
  if (host.includes(":") !== own.includes(":")) return "its host is of the other address family";
  if (!isUnicastMac(mac)) return "its MAC is none of one interface";
  if (addresses.length !== endpoint.addresses.length) return "one of its addresses is none";
  return { host, mac, addresses };
}

function makeEntries(
  { host, mac, addresses }: OverlayEndpoint,
  tunnel: string | undefined,
): OverlayEntry[] {
  return [
    { table: "forward", key: mac, value: describeWay(host, tunnel) },
    { table: "bridge", key: mac, value: "" },
    ...addresses.map((key): OverlayEntry => ({ table: "neighbour", key, value: mac })),
  ];
}

/** How an entry names a host, and the device through which alone it is to be reached. */
export function describeWay(host: string, tunnel: string | undefined): string {
  return tunnel === undefined ? host : `${host} via ${tunnel}`;
}

const describe = ({ host, mac, addresses }: OverlayEndpoint): string =>
  [host, mac, ...addresses].join(" ");

/**
 * Entries for all endpoints on other hosts. Who comes first by host, MAC and addresses keeps what two claim, so that every host
 * decides alike; what is on this host itself is never given away.
 */
export function listWantedEntries({ host, endpoints, tunnel }: OverlayAttachment): WantedEntries {
  const own = normalizeAddress(host) ?? host;
  const refused: RefusedEndpoint[] = [];
  const entries: OverlayEntry[] = [];
  const owners = new Map<string, string>();
  const sound = endpoints.flatMap((endpoint) => {
    const normal = normalize(endpoint, own);
    if (typeof normal !== "string") return [normal];
    refused.push({ endpoint, why: normal });
    return [];
  });
  const isOwn = (endpoint: OverlayEndpoint): boolean => endpoint.host === own;
  const sorted = sound.toSorted(
    (a, b) => Number(isOwn(b)) - Number(isOwn(a)) || (describe(a) < describe(b) ? -1 : 1),
  );
  for (const endpoint of sorted) {
    const claims = [endpoint.mac, ...endpoint.addresses];
    const taken = claims.find((claim) => owners.has(claim));
    if (taken !== undefined) {
      if (owners.get(taken) !== describe(endpoint))
        refused.push({ endpoint, why: `${taken} belongs to ${owners.get(taken) ?? ""}` });
      continue;
    }
    for (const claim of claims) owners.set(claim, describe(endpoint));
    if (!isOwn(endpoint)) entries.push(...makeEntries(endpoint, tunnel));
  }
  return { entries, refused };
}

const entryKey = ({ table, key, value }: OverlayEntry): string => `${table} ${key} ${value}`;

/** A device's name: of the network's identifier, since names of networks are longer than the kernel takes. */
export function nameDevice(vni: number): string {
  return `flv${vni.toString(16).padStart(6, "0")}`;
}

/** The name of the engine's bridge for a network, the same on every host. */
export function nameBridge(vni: number): string {
  return `flb${vni.toString(16).padStart(6, "0")}`;
}

function planEntries(
  device: string,
  wanted: readonly OverlayEntry[],
  there: readonly OverlayEntry[],
): OverlayChange[] {
  const wantedKeys = new Set(wanted.map(entryKey));
  const thereKeys = new Set(there.map(entryKey));
  // What is wrong goes first, since some tables hold one entry a key.
  return [
    ...there
      .filter((entry) => !wantedKeys.has(entryKey(entry)))
      .map((entry): OverlayChange => ({ kind: "drop", device, entry })),
    ...wanted
      .filter((entry) => !thereKeys.has(entryKey(entry)))
      .map((entry): OverlayChange => ({ kind: "add", device, entry })),
  ];
}

function hasSameMaking({ network, host, tunnel }: OverlayAttachment, fact: OverlayFact): boolean {
  return (
    fact.sound &&
    fact.tunnel === tunnel &&
    fact.host === (normalizeAddress(host) ?? host) &&
    fact.network.name === network.name &&
    fact.network.port === network.port
  );
}

function planOne(attachment: OverlayAttachment, fact: OverlayFact | undefined): OverlayChange[] {
  const { network, bridge } = attachment;
  const device = nameDevice(network.vni);
  const { entries } = listWantedEntries(attachment);
  const make: OverlayChange[] = [
    { kind: "make", device, attachment },
    ...planEntries(device, entries, []),
  ];
  if (fact === undefined) return make;
  if (!hasSameMaking(attachment, fact))
    return [{ kind: "remove", device, network: fact.network.name }, ...make];
  const isSet = fact.set && fact.bridge === bridge && fact.network.mtu === network.mtu;
  const set: OverlayChange[] = isSet ? [] : [{ kind: "set", device, attachment }];
  // A port that leaves its bridge leaves its entries there.
  const there =
    fact.bridge === bridge ? fact.entries : fact.entries.filter(({ table }) => table !== "bridge");
  return [...set, ...planEntries(device, entries, there)];
}

/** The changes that make a host as it is wanted, in the order to make them; none when it is. */
export function planOverlay(
  wanted: readonly OverlayAttachment[],
  there: readonly OverlayFact[],
): readonly OverlayChange[] {
  const devices = new Map(wanted.map((one) => [nameDevice(one.network.vni), one]));
  const removed = there
    .filter(({ device }) => !devices.has(device))
    .map(({ device, network }): OverlayChange => ({
      kind: "remove",
      device,
      network: network.name,
    }));
  const facts = new Map(there.map((fact) => [fact.device, fact]));
  return [...removed, ...[...devices].flatMap(([device, one]) => planOne(one, facts.get(device)))];
}

const describeFrame = ({ endpoints: _endpoints, ...frame }: OverlayAttachment): unknown => frame;

/** What a host is like that was made as `wanted`. */
function expectFact(attachment: OverlayAttachment): OverlayFact {
  const { network, bridge, tunnel } = attachment;
  const host = normalizeAddress(attachment.host) ?? attachment.host;
  const { entries } = listWantedEntries(attachment);
  const states = { sound: true, set: true };
  return { network, device: nameDevice(network.vni), host, bridge, tunnel, ...states, entries };
}

/** The changes from one state of endpoints to another; undefined where anything else differs, so that one has to look. */
export function planFromMemory(
  wanted: readonly OverlayAttachment[],
  before: readonly OverlayAttachment[] | undefined,
): readonly OverlayChange[] | undefined {
  if (!isDeepStrictEqual(wanted.map(describeFrame), before?.map(describeFrame))) return undefined;
  return planOverlay(wanted, before?.map(expectFact) ?? []);
}
