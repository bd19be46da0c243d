// SPDX-License-Identifier: Apache-2.0
// How large a packet may be on the way to another host: measured, not assumed. A router that cannot pass a packet on should
// say so, and the kernel then knows; where such words are lost, large packets vanish, which is found by asking.

/** What a measurement needs of the host and of the peer. */
export interface PathProbe {
  /**
   * The largest packet that the kernel sends there in one piece: what the device takes, or what a router has told. Bytes,
   * headers included. Undefined when there is no way.
   */
  readCeiling(): Promise<number | undefined>;
  /** Whether a packet of that size came there and was answered. */
  send(sizeBytes: number): Promise<boolean>;
}

export interface PathMeasure {
  /** The largest packet that arrives, bytes. */
  readonly mtu: number;
  /** What the kernel believes. */
  readonly ceiling: number;
  /** Packets between the two vanish without a word. */
  readonly blackHole: boolean;
}

/** Every path carries that much: what IPv6 demands, and what a datagram of membership needs. */
const PATH_MTU_MIN = 1_280;
/** One that is lost by accident is no sign: so many more are sent, at once. */
const SECOND_TRIES = 4;

async function arrives(probe: PathProbe, sizeBytes: number): Promise<boolean> {
  if (await probe.send(sizeBytes)) return true;
  const more = Array.from({ length: SECOND_TRIES }, () => probe.send(sizeBytes));
  return (await Promise.all(more)).includes(true);
}

/** The largest size that arrives, from one that does up to the ceiling. */
async function search(probe: PathProbe, good: number, ceiling: number): Promise<number> {
  let low = good;
  do {
    let high = ceiling;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await arrives(probe, middle)) low = middle;
      else high = middle;
    }
    // A host that had no turn for a moment looks like a hole: what is next is asked once more.
  } while (low < ceiling && (await arrives(probe, low + 1)) && ++low < ceiling);
  return low;
}

/** Measures a path; undefined when nothing at all is answered, which says nothing of sizes. */
export async function measurePath(probe: PathProbe): Promise<PathMeasure | undefined> {
  let ceiling = await probe.readCeiling();
  while (ceiling !== undefined) {
    const isWhole = await arrives(probe, ceiling);
    // A router's word comes after the packet that it is about: then it went in pieces, or not at all.
    const after = await probe.readCeiling();
    if (after !== undefined && after < ceiling) {
      ceiling = after;
      continue;
    }
    if (isWhole) return { mtu: ceiling, ceiling, blackHole: false };
    const least = Math.min(PATH_MTU_MIN, ceiling);
    if (!(await arrives(probe, least))) return undefined;
    const mtu = await search(probe, least, ceiling);
    const told = await probe.readCeiling();
    if (told === undefined || told >= ceiling) return { mtu, ceiling, blackHole: mtu < ceiling };
    ceiling = told;
  }
  return undefined;
}

/** What VXLAN puts around a packet, with Ethernet inside and IP outside, bytes. */
export const OVERHEAD_BYTES = { 4: 50, 6: 70 } as const;

/** By which family a host is reached. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** What WireGuard puts around a packet: IP, UDP, its header and its proof, bytes. */
const TUNNEL_OVERHEAD_BYTES = { 4: 60, 6: 80 } as const;

/** What stands around a packet of a network between its hosts, bytes. */
export function countOverhead(family: 4 | 6, isEncrypted: boolean): number {
  return OVERHEAD_BYTES[family] + (isEncrypted ? TUNNEL_OVERHEAD_BYTES[family] : 0);
}

/** The largest packet inside of a network whose hosts are joined by such paths; the smallest of them counts. */
export function chooseNetworkMtu(
  family: 4 | 6,
  isEncrypted: boolean,
  pathMtus: readonly number[],
  otherwise: number,
): number {
  const path = pathMtus.length === 0 ? otherwise : Math.min(...pathMtus);
  return path - countOverhead(family, isEncrypted);
}
