// SPDX-License-Identifier: Apache-2.0
// The face of the room: who of the fleet lives, as this node sees it.

/** A node of the fleet, as the store has it. */
export interface Peer {
  /** Stays the same over restarts. */
  readonly id: string;
  /** Grows each time the node registers; the store's revision. What an earlier life says is not believed. */
  readonly incarnation: number;
  /** IPv4 or IPv6 address, and UDP port, at which it answers. */
  readonly address: string;
  readonly port: number;
}

/**
 * `alive`: somebody has heard it within a second. `suspect`: nobody has; nothing new goes there. `gone`: nobody has for
 * longer than a pause that is forgiven. `left`: it said that it goes.
 */
export type MemberState = "alive" | "suspect" | "gone" | "left";

/** What is known of one peer. */
export interface Member {
  readonly id: string;
  readonly incarnation: number;
  readonly state: MemberState;
  /** For how long nobody that this node hears has heard it, milliseconds. */
  readonly silentMs: number;
  /** Whether this node hears it itself, or knows of it through others only. */
  readonly direct: boolean;
  /** There and back, milliseconds; undefined until measured. */
  readonly rttMs: number | undefined;
  /** How far its wall clock is ahead of ours, milliseconds; known to half of `rttMs`. */
  readonly skewMs: number | undefined;
}

export interface MemberChange {
  readonly member: Member;
  /** What it was before; undefined for one that is new. */
  readonly was: MemberState | undefined;
}

/** Watches the peers that it is told of. Safe for concurrent use. */
export interface Membership extends AsyncDisposable {
  /** UDP port on which it answers. */
  readonly port: number;
  /** Replaces the peers to watch; those not named are forgotten. */
  setPeers(peers: readonly Peer[]): void;
  list(): readonly Member[];
  /** One of them; undefined for a node that is not watched. */
  find(id: string): Member | undefined;
  /** True while there are peers and none of them is heard: then it is this node that is cut off. */
  readonly isolated: boolean;
  /** Returns the function that ends it. */
  onChange(listener: (change: MemberChange) => void): () => void;
  /**
   * Whether a packet of so many bytes, all headers included, is answered by a peer. The kernel sends it in one piece when
   * it is not larger than the path it knows of. False for a peer that is not watched.
   */
  probe(id: string, sizeBytes: number): Promise<boolean>;
  /** Datagrams by what became of them. */
  readCounters(): Readonly<Record<string, number>>;
}
