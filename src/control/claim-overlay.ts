// SPDX-License-Identifier: Apache-2.0
// What a host needs of the fleet before its engine can make a network that spans hosts: the network's identifier and
// addresses, the same for all, and a range of them that it alone gives away. Pure; who writes it down does so in turn.
import { formatBlock, overlaps, parseBlock, type Block } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { findFreeBlock, findFreeVni } from "#network/allocate.ts";
import { controlErrors } from "./errors.ts";
import { refuseClash, type HostNetwork } from "./host-networks.ts";
import {
  parseBlocks,
  type OverlayDefinition,
  type OverlayPicture,
  type OverlayRange,
} from "./overlay-entries.ts";

export interface OverlayRequest {
  /** As the engine calls it. */
  readonly name: string;
  /** Id of the node that asks. */
  readonly node: string;
  /** Subnets that the file names; empty: from the pools. */
  readonly subnets: readonly string[];
  readonly ipv6: boolean;
  /** Whether packets between hosts are to be encrypted. */
  readonly encrypted: boolean;
  /** Blocks from which networks get theirs. */
  readonly pools: readonly string[];
  readonly port: number;
  /** For a network that is new: of the packets inside, bytes. */
  readonly mtu: number;
  /** What the host has besides. */
  readonly hostNetworks: readonly HostNetwork[];
}

export interface OverlayClaim {
  readonly definition: OverlayDefinition;
  readonly range: OverlayRange;
}

/** How large a network out of a pool is: 64 hosts with 253 addresses each, or 65,536 hosts. */
const NETWORK_PREFIX = { 4: 18, 6: 64 } as const;
/** How many bits of a subnet say which host: 64 hosts, or 65,536. */
const HOST_BITS = { 4: 6, 6: 16 } as const;
/** A host gets at least sixteen addresses of a subnet. */
const HOST_PREFIX_MAX = { 4: 28, 6: 124 } as const;

function refuse(message: string, facts: Readonly<Record<string, string>>): FairleadError {
  return new FairleadError(controlErrors["overlay-ranges"], message, { facts });
}

/** Throws FL0720 `overlay-ranges` for what is no block, or none that hosts could share. */
function readSubnets(request: OverlayRequest, taken: readonly Block[]): readonly Block[] {
  return request.subnets.map((text) => {
    const block = parseBlock(text);
    if (block === undefined || block.prefix > HOST_PREFIX_MAX[block.family])
      throw refuse(`${text} cannot be shared among hosts`, { network: request.name });
    const other = taken.find((one) => overlaps(one, block));
    if (other !== undefined)
      throw refuse(`${text} of the network ${request.name} overlaps another network's`, {
        overlaps: formatBlock(other),
      });
    return block;
  });
}

/** What a host has of the pools itself. */
function describeOwn(
  pools: readonly Block[],
  own: readonly HostNetwork[],
): Readonly<Record<string, string>> {
  const clashes = own.filter(({ block }) => pools.some((pool) => overlaps(pool, block)));
  const texts = clashes.map(({ device, block }) => `${formatBlock(block)} on ${device}`);
  return texts.length === 0 ? {} : { "this host has": texts.join(", ") };
}

function chooseSubnets(request: OverlayRequest, taken: readonly Block[]): readonly Block[] {
  if (request.subnets.length > 0) return readSubnets(request, taken);
  const families = request.ipv6 ? ([4, 6] as const) : ([4] as const);
  return families.map((family) => {
    const pools = parseBlocks(request.pools).filter((pool) => pool.family === family);
    for (const pool of pools) {
      const found = findFreeBlock(pool, NETWORK_PREFIX[family], taken);
      if (found !== undefined) return found;
    }
    throw refuse(`no range is left for the network ${request.name}`, {
      family: `IPv${family}`,
      pools: request.pools.join(" "),
      ...describeOwn(pools, request.hostNetworks),
    });
  });
}

function define(request: OverlayRequest, picture: OverlayPicture): OverlayDefinition {
  const others = picture.names().flatMap((name) => picture.get(name)?.definition ?? []);
  const taken = parseBlocks(others.flatMap(({ subnets }) => subnets));
  const own = request.hostNetworks.map(({ block }) => block);
  const subnets = chooseSubnets(request, [...taken, ...own]).map(formatBlock);
  const vni = findFreeVni(new Set(others.map((other) => other.vni)));
  if (vni === undefined) throw refuse("no identifier is left", { network: request.name });
  const { port, mtu, encrypted } = request;
  return { vni, port, mtu, subnets, encrypted };
}

function cutRange(
  request: OverlayRequest,
  { subnets }: OverlayDefinition,
  ranges: ReadonlyMap<string, OverlayRange>,
): OverlayRange {
  const taken = [...ranges.values()].flatMap(({ blocks }) => parseBlocks(blocks));
  const blocks = parseBlocks(subnets).map((subnet) => {
    const { family, prefix } = subnet;
    const hostPrefix = Math.min(prefix + HOST_BITS[family], HOST_PREFIX_MAX[family]);
    const found = findFreeBlock(subnet, hostPrefix, taken);
    if (found !== undefined) return formatBlock(found);
    throw refuse(`the network ${request.name} has no range left for another host`, {
      subnet: formatBlock(subnet),
      hosts: String(ranges.size),
    });
  });
  return { blocks };
}

/**
 * What a host has of a network, or may have: nothing is changed of what stands in the picture. Throws FL0720
 * `overlay-ranges`, FL0722 `overlay-encryption`.
 */
export function planClaim(request: OverlayRequest, picture: OverlayPicture): OverlayClaim {
  const entries = picture.get(request.name);
  // What the file names may be nobody else's of the fleet, and this host's all the same.
  refuseClash(request.name, entries?.definition?.subnets ?? request.subnets, request.hostNetworks);
  const definition = entries?.definition ?? define(request, picture);
  const isOther = request.subnets.some((subnet) => !definition.subnets.includes(subnet));
  if (isOther)
    throw refuse(`the network ${request.name} has other subnets on other hosts`, {
      there: definition.subnets.join(" "),
      here: request.subnets.join(" "),
    });
  if (definition.encrypted !== request.encrypted)
    throw new FairleadError(
      controlErrors["overlay-encryption"],
      `the network ${request.name} is ${definition.encrypted ? "" : "not "}encrypted on other hosts`,
      { facts: { wanted: request.encrypted ? "encrypted" : "not encrypted" } },
    );
  const ranges = entries?.ranges ?? new Map<string, OverlayRange>();
  const range = ranges.get(request.node) ?? cutRange(request, definition, ranges);
  return { definition, range };
}
