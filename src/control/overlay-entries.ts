// SPDX-License-Identifier: Apache-2.0
// Networks that span hosts, as they stand in the fleet's store, and a picture of them that a watch keeps:
//
//   networks/turn                     who allocates writes it under the condition that nobody did since it looked
//   networks/def/NAME                 what is the same on all hosts
//   networks/range/NAME/NODE          which of its addresses a host gives away
//   networks/key/NODE                 by which key packets from there are encrypted, and which is to follow
//   networks/rotate                   that all hosts change their keys
//   networks/path/NODE                the largest packet that reaches each other node from there
//   networks/at/NAME/NODE/INSTANCE    where an instance is; kept without a lease, since a host that is cut off goes on
import { z } from "zod";
import { hasAddress, parseBlock, type Block } from "#base/addresses.ts";
import type { OverlayEndpoint } from "#network/overlay.ts";
import type { RefusedEndpoint } from "#network/plan-overlay.ts";

const blockText = z.string().refine((text) => parseBlock(text) !== undefined, "is no block");

/** What is the same on all hosts. */
export const OverlayDefinition = z.object({
  vni: z.number().int().min(1).max(0xff_ffff),
  port: z.number().int().min(1).max(65_535),
  /** Of the packets inside, bytes. */
  mtu: z.number().int().min(576).max(65_535),
  subnets: z.array(blockText).min(1),
  /** Whether packets between hosts are encrypted. */
  encrypted: z.boolean().default(false),
});
export type OverlayDefinition = z.infer<typeof OverlayDefinition>;

/** What a host may give away: a block of each subnet, in their order. */
export const OverlayRange = z.object({ blocks: z.array(blockText) });
export type OverlayRange = z.infer<typeof OverlayRange>;

const Endpoint = z.object({ host: z.string(), mac: z.string(), addresses: z.array(z.string()) });

/** By which key packets of a host are encrypted; its private half never leaves the host. */
export const TunnelEntry = z.object({
  /** Where that host takes them. */
  address: z.string(),
  port: z.number().int().min(1).max(65_535),
  publicKey: z.string(),
  madeAtMs: z.number(),
  /** The key that is to follow, known before it is used. */
  next: z.string().optional(),
  /** The last turn of `networks/rotate` that the host has had. */
  turn: z.number().int(),
});
export type TunnelEntry = z.infer<typeof TunnelEntry>;

const Rotation = z.object({ turn: z.number().int() });

/** The largest packet that reaches each other node, by id, bytes. */
export const OverlayPaths = z.record(z.string(), z.number().int().min(68).max(65_535));
export type OverlayPaths = z.infer<typeof OverlayPaths>;

export const OVERLAY_PREFIX = "networks/";
export const TURN_KEY = "networks/turn";
export const ROTATE_KEY = "networks/rotate";
export const tunnelKey = (node: string): string => `networks/key/${node}`;
export const pathKey = (node: string): string => `networks/path/${node}`;
export const definitionKey = (name: string): string => `networks/def/${name}`;
export const rangeKey = (name: string, node: string): string => `networks/range/${name}/${node}`;
export const endpointKey = (name: string, node: string, instance: string): string =>
  `networks/at/${name}/${node}/${instance}`;

/** One network as the store has it. */
export interface OverlayEntries {
  readonly definition: OverlayDefinition | undefined;
  /** By node id. */
  readonly ranges: ReadonlyMap<string, OverlayRange>;
  /** By `NODE/INSTANCE`. */
  readonly endpoints: ReadonlyMap<string, OverlayEndpoint>;
}

interface Kept {
  definition: OverlayDefinition | undefined;
  readonly ranges: Map<string, OverlayRange>;
  readonly endpoints: Map<string, OverlayEndpoint>;
}

export interface OverlayPicture {
  /** Takes an entry, or that it is gone; false for one that cannot be read, which then counts as gone. */
  take(change: { readonly key: string; readonly value?: unknown }): boolean;
  clear(): void;
  get(name: string): OverlayEntries | undefined;
  names(): readonly string[];
  /** Ids of all nodes that have written anything. */
  listNodes(): readonly string[];
  /** What nodes have measured, by their ids. */
  readonly paths: ReadonlyMap<string, OverlayPaths>;
  /** Keys of hosts, by their nodes' ids. */
  readonly keys: ReadonlyMap<string, TunnelEntry>;
  /** How often all hosts were asked to change their keys. */
  readonly rotation: number;
}

const isEmpty = ({ definition, ranges, endpoints }: Kept): boolean =>
  definition === undefined && ranges.size === 0 && endpoints.size === 0;

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** Makes an empty picture. */
export function createOverlayPicture(): OverlayPicture {
  const networks = new Map<string, Kept>();
  const paths = new Map<string, OverlayPaths>();
  const keys = new Map<string, TunnelEntry>();
  let rotation = 0;

  /** Takes what nodes say of themselves and not of a network; undefined for anything else. */
  function takeOfNode(kind: string, node: string, value: unknown): boolean | undefined {
    if (kind === "rotate") {
      rotation = Math.max(rotation, Rotation.safeParse(value).data?.turn ?? 0);
      return true;
    }
    if (kind !== "path" && kind !== "key") return undefined;
    const path = OverlayPaths.safeParse(value);
    const tunnel = TunnelEntry.safeParse(value);
    if (kind === "path") setOrDelete(paths, node, path.data);
    else setOrDelete(keys, node, tunnel.data);
    return value === undefined || (kind === "path" ? path : tunnel).success;
  }

  return {
    paths,
    keys,
    get rotation() {
      return rotation;
    },
    take({ key, value }) {
      const [, kind = "", name = "", node = "", instance = ""] = key.split("/");
      const taken = takeOfNode(kind, name, value);
      if (taken !== undefined) return taken;
      if (kind !== "def" && kind !== "range" && kind !== "at") return true;
      const kept = networks.get(name) ?? {
        definition: undefined,
        ranges: new Map(),
        endpoints: new Map(),
      };
      networks.set(name, kept);
      const schema = { def: OverlayDefinition, range: OverlayRange, at: Endpoint }[kind];
      const isReadable = value === undefined || schema.safeParse(value).success;
      if (kind === "def") kept.definition = OverlayDefinition.safeParse(value).data;
      else if (kind === "range") setOrDelete(kept.ranges, node, OverlayRange.safeParse(value).data);
      else setOrDelete(kept.endpoints, `${node}/${instance}`, Endpoint.safeParse(value).data);
      if (isEmpty(kept)) networks.delete(name);
      return isReadable;
    },
    clear() {
      networks.clear();
      paths.clear();
      keys.clear();
      rotation = 0;
    },
    get: (name) => networks.get(name),
    listNodes() {
      const ids = [...networks.values()].flatMap(({ ranges, endpoints }) => [
        ...ranges.keys(),
        ...[...endpoints.keys()].map((key) => key.slice(0, key.indexOf("/"))),
      ]);
      return [...new Set([...ids, ...paths.keys(), ...keys.keys()])];
    },
    names: () => [...networks.keys()].toSorted(),
  };
}

/** All blocks that texts name; what is no block is passed over. */
export function parseBlocks(texts: readonly string[]): readonly Block[] {
  return texts.flatMap((text) => parseBlock(text) ?? []);
}

/** Why an endpoint of a node cannot be: it is outside of the network, or in what another host gives away. */
function findTrespass(
  entries: OverlayEntries,
  node: string,
  addresses: readonly string[],
): string | undefined {
  const subnets = parseBlocks(entries.definition?.subnets ?? []);
  const stray = addresses.find((address) => !subnets.some((subnet) => hasAddress(subnet, address)));
  if (stray !== undefined) return `${stray} is not of the network`;
  for (const [other, { blocks }] of entries.ranges) {
    if (other === node) continue;
    const ranges = parseBlocks(blocks);
    const taken = addresses.find((address) => ranges.some((range) => hasAddress(range, address)));
    if (taken !== undefined) return `${taken} is of another host's range`;
  }
  return undefined;
}

/** The endpoints of a network that stay within what is their host's, and those that do not. */
export function judgeEndpoints(entries: OverlayEntries): {
  readonly endpoints: readonly OverlayEndpoint[];
  readonly refused: readonly RefusedEndpoint[];
} {
  const endpoints: OverlayEndpoint[] = [];
  const refused: RefusedEndpoint[] = [];
  for (const [key, endpoint] of entries.endpoints) {
    const why = findTrespass(entries, key.slice(0, key.indexOf("/")), endpoint.addresses);
    if (why === undefined) endpoints.push(endpoint);
    else refused.push({ endpoint, why });
  }
  return { endpoints, refused };
}
