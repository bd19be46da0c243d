// SPDX-License-Identifier: Apache-2.0
// Packet rules around networks that span hosts: VXLAN itself takes packets of whoever reaches its UDP port. Of a network
// only packets of its fleet's hosts are taken; of an encrypted one only those that come out of the device that encrypts, and
// none goes out past it. What has other identifiers, as Swarm's networks on the same port, is none of this.
import type { Netfilter, NftObject } from "#netfilter/netfilter.ts";
import type { OverlayNetwork } from "./overlay.ts";
import { normalizeAddress } from "./plan-overlay.ts";

/** What the rules have to know. */
export interface GuardSpec {
  readonly networks: readonly Pick<OverlayNetwork, "vni" | "port">[];
  /** Of these, the identifiers of those that are encrypted. */
  readonly encrypted: readonly number[];
  /** The device that encrypts. */
  readonly tunnel: string;
  /** Addresses of the fleet's hosts. */
  readonly hosts: readonly string[];
}

/** `repaired`: they stood before, and somebody has changed them since. */
export type GuardTurn = "same" | "made" | "repaired" | "removed";

export interface OverlayGuard {
  /**
   * Makes the rules as they are to be, in one transaction: there is no moment without. No network: no rules. Throws as
   * `Netfilter.apply`. `isFromMemory`: what was made as it is to be is taken to stand, and is not looked at.
   */
  apply(spec: GuardSpec, options?: { readonly isFromMemory?: boolean }): Promise<GuardTurn>;
}

/** The table with the rules. */
export const GUARD_TABLE = "fairlead_overlay";
/** Where the network's identifier stands: after UDP's 8 bytes, flags and what is reserved. */
const VNI = "@th,96,24";

const braces = (items: readonly (number | string)[]): string => `{ ${items.join(", ")} }`;

function declareSet(family: 4 | 6, hosts: readonly string[]): string {
  const own = hosts.filter((host) => host.includes(":") === (family === 6));
  const elements = own.length === 0 ? "" : ` elements = ${braces(own)};`;
  return `set hosts${family} { type ipv${family}_addr;${elements} }`;
}

/** The rules as text of nft; undefined where there is nothing to guard. Pure. */
export function renderGuard(spec: GuardSpec): string | undefined {
  const { networks, tunnel } = spec;
  if (networks.length === 0) return undefined;
  const hosts = [...new Set(spec.hosts.flatMap((host) => normalizeAddress(host) ?? []))].toSorted();
  const numbers = (list: readonly number[]): readonly number[] =>
    [...new Set(list)].toSorted((a, b) => a - b);
  const ports = `udp dport ${braces(numbers(networks.map(({ port }) => port)))}`;
  const all = `${ports} ${VNI} ${braces(numbers(networks.map(({ vni }) => vni)))}`;
  const sealed = `${ports} ${VNI} ${braces(numbers(spec.encrypted))}`;
  const isSealed = spec.encrypted.length > 0;
  return [
    `table inet ${GUARD_TABLE} {`,
    declareSet(4, hosts),
    declareSet(6, hosts),
    "chain input {",
    "type filter hook input priority -10; policy accept;",
    `ip saddr != @hosts4 ${all} counter drop`,
    `ip6 saddr != @hosts6 ${all} counter drop`,
    ...(isSealed ? [`iifname != "${tunnel}" ${sealed} counter drop`] : []),
    "}",
    "chain output {",
    "type filter hook output priority -10; policy accept;",
    ...(isSealed ? [`oifname != "${tunnel}" ${sealed} counter drop`] : []),
    "}",
    "}",
  ].join("\n");
}

/** What stands, without what changes by itself. */
function fingerprint(objects: readonly NftObject[] | undefined): string {
  return JSON.stringify(objects, (key, value: unknown) =>
    key === "handle" || key === "counter" ? undefined : value,
  );
}

/** Rules on this host, or in another network namespace of it. */
export function createOverlayGuard(netfilter: Netfilter, netns?: string): OverlayGuard {
  const options = netns === undefined ? {} : { netns };
  let written: { readonly text: string | undefined; readonly stands: string } | undefined;
  const read = async (): Promise<string> =>
    fingerprint(await netfilter.read("inet", GUARD_TABLE, options));
  return {
    async apply(spec, { isFromMemory = false } = {}) {
      const text = renderGuard(spec);
      // Nobody makes rules of this name but this.
      if (text === undefined && written !== undefined && written.text === undefined) return "same";
      const isSame = written?.text === text;
      if (isSame && isFromMemory) return "same";
      const before = await read();
      if (isSame && written?.stands === before) return "same";
      // None is wanted, and none is there.
      if (text === undefined && before === fingerprint(undefined)) {
        written = { text, stands: before };
        return "same";
      }
      await netfilter.apply(
        [
          `add table inet ${GUARD_TABLE}`,
          `delete table inet ${GUARD_TABLE}`,
          ...(text === undefined ? [] : [text]),
        ],
        options,
      );
      written = { text, stands: await read() };
      if (text === undefined) return "removed";
      return isSame ? "repaired" : "made";
    },
  };
}
