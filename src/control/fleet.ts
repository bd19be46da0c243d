// SPDX-License-Identifier: Apache-2.0
// The fleet that a node belongs to, as its loops are given it.
import type { Membership } from "#membership/membership.ts";
import type { PeerCredentials, Peering, Refusal } from "#peering/peering.ts";
import type { Store } from "#store/store.ts";

/** Its part of the store, and what it takes to hear the others. */
export interface Fleet {
  readonly name: string;
  /** Opens the fleet's part of the store; the caller disposes of it. Throws what the store throws. */
  openStore(): Promise<Store>;
  /** A new key, 32 bytes as base64. */
  makeKey(): string;
  /** How other hosts reach the store: `host:port` of its members, and the PEM of who vouches for them if they speak TLS. */
  describeAccess(
    /** Where other hosts reach the store, when that differs. */
    elsewhere?: readonly string[],
  ): Promise<{ readonly endpoints: readonly string[]; readonly ca?: string }>;
  startMembership(options: {
    readonly id: string;
    readonly incarnation: number;
    readonly firstSequence?: number;
    readonly port: number;
    readonly secret: Buffer;
  }): Promise<Membership>;
  /** Connects to a host that joins, and says the word that it waits for. Throws FL1202 `peer-unreachable`. */
  knock(at: { readonly address: string; readonly port: number }, word: string): Promise<void>;
}

/** A fleet whose nodes can be asked for more than whether they live. */
export interface PeerFleet extends Fleet {
  /** Opens the port at which other nodes ask this one. */
  startPeering(options: {
    readonly port: number;
    readonly credentials: PeerCredentials;
    /** Called for each that is turned away. */
    readonly onRefused: (refusal: Refusal) => void;
  }): Promise<Peering>;
}
