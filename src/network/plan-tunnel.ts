// SPDX-License-Identifier: Apache-2.0
// How the device that encrypts differs from what is wanted. Pure.
import { createHash } from "node:crypto";
import { familyOf, OVERHEAD_BYTES } from "./measure-path.ts";
import { normalizeAddress } from "./plan-overlay.ts";
import type { TunnelChange, TunnelFact, TunnelPeer, TunnelPeerFact, TunnelSpec } from "./tunnel.ts";

/** Who has agreed on no key for so long is not there: where he is may be written anew. */
const SILENT_MS = 180_000;
const KEY = /^[A-Za-z0-9+/]{43}=$/;

/** The device's name: of the node, since some that share a machine share a directory of sockets too. */
export function nameTunnel(node: string): string {
  return `flw${createHash("sha256").update(node).digest("hex").slice(0, 8)}`;
}

/** Whether a text can be a public key. */
function isPublicKey(text: string): boolean {
  return KEY.test(text);
}

/** How large a packet the device has to take, for networks whose own are as large as that. */
export function chooseTunnelMtu(host: string, networkMtus: readonly number[]): number {
  return Math.max(1_280, ...networkMtus.map((mtu) => mtu + OVERHEAD_BYTES[familyOf(host)]));
}

/**
 * The peers that can be: keys that are none are left out, and so is who has this host's address. An address that two have
 * belongs to who comes first; the other gets no packet.
 */
export function selectPeers({ host, peers, publicKey }: TunnelSpec): readonly TunnelPeer[] {
  const own = normalizeAddress(host);
  const taken = new Set([own]);
  const keys = new Set([publicKey]);
  return peers.flatMap((peer) => {
    const place = normalizeAddress(peer.endpoint.address);
    if (!isPublicKey(peer.publicKey) || keys.has(peer.publicKey)) return [];
    if (place === undefined || place === own) return [];
    // A device has one family outside.
    if (place.includes(":") !== (own ?? "").includes(":")) return [];
    keys.add(peer.publicKey);
    const wanted = peer.address === undefined ? undefined : normalizeAddress(peer.address);
    const address = taken.has(wanted) ? undefined : wanted;
    if (address !== undefined) taken.add(address);
    return [{ ...peer, address, endpoint: { address: place, port: peer.endpoint.port } }];
  });
}

/** An address and a port as WireGuard writes them. */
export function formatEndpoint({ address, port }: TunnelPeer["endpoint"]): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function isAsWanted(peer: TunnelPeer, fact: TunnelPeerFact | undefined, nowMs: number): boolean {
  if (fact === undefined || fact.address !== peer.address) return false;
  // A host that is heard from elsewhere is where it is heard.
  const isHeard = fact.handshakeAtMs !== undefined && nowMs - fact.handshakeAtMs < SILENT_MS;
  return isHeard || fact.endpoint === formatEndpoint(peer.endpoint);
}

/** The changes in the order to make them; none when all is as wanted. */
export function planTunnel(
  spec: TunnelSpec,
  fact: TunnelFact | undefined,
  nowMs: number,
): readonly TunnelChange[] {
  const { device, publicKey, port, mtu } = spec;
  const peers = selectPeers(spec);
  const isSet =
    fact?.set === true && fact.publicKey === publicKey && fact.port === port && fact.mtu === mtu;
  const there = new Map(fact?.peers.map((peer) => [peer.publicKey, peer]));
  const wanted = new Set(peers.map((peer) => peer.publicKey));
  const addresses = new Set(peers.flatMap(({ address }) => address ?? []));
  const routes = new Set(fact?.routes);
  return [
    ...(fact === undefined ? [{ kind: "make", device } as const] : []),
    ...(isSet ? [] : [{ kind: "set", device } as const]),
    // Who is new takes an address from who had it; between the two there is no moment without either.
    ...peers
      .filter((peer) => !isAsWanted(peer, there.get(peer.publicKey), nowMs))
      .map((peer): TunnelChange => ({ kind: "peer", peer })),
    ...[...there.keys()]
      .filter((key) => !wanted.has(key))
      .map((key): TunnelChange => ({ kind: "unpeer", publicKey: key })),
    ...[...addresses]
      .filter((address) => !routes.has(address))
      .map((address): TunnelChange => ({ kind: "route", address })),
    ...[...routes]
      .filter((address) => !addresses.has(address))
      .map((address): TunnelChange => ({ kind: "unroute", address })),
  ];
}
