// SPDX-License-Identifier: Apache-2.0
import type { MemberState } from "./membership.ts";

/** What an observer knows of a peer. */
export interface KnownPeer {
  readonly id: string;
  /** While it is gone it is asked now and then: not all at once. */
  readonly phase: number;
  incarnation: number;
  /** Of the newest datagram that anybody heard. */
  sequence: number;
  /** When, in the observer's time. */
  heardAt: number;
  directAt: number;
  /** In which tick it was last asked since it is quiet, or away. */
  probedTick: number;
  /** It has answered us in this life: only then its other datagrams count, which could be old ones sent again. */
  proven: boolean;
  left: boolean;
  /** It said that it goes, and begins anew: it is taken to be on its way until it is heard. */
  returning: boolean;
  state: MemberState;
  rttMs: number | undefined;
  skewMs: number | undefined;
  skewRttMs: number;
  skewSamples: number;
}

const SMOOTHING = 0.2;
/** Answers of which the quickest tells how far clocks are apart. */
const SKEW_SAMPLES = 32;

/** One that nobody has heard yet. */
export function createKnownPeer(
  parts: Pick<KnownPeer, "id" | "incarnation" | "phase"> & { readonly time: number },
): KnownPeer {
  const { time, ...rest } = parts;
  return {
    ...rest,
    sequence: -1,
    heardAt: time,
    directAt: Number.NEGATIVE_INFINITY,
    probedTick: 0,
    proven: false,
    left: false,
    returning: false,
    state: "alive",
    rttMs: undefined,
    skewMs: undefined,
    skewRttMs: Infinity,
    skewSamples: 0,
  };
}

/**
 * It lives anew: what its last life said and showed counts no more. How long that was silent neither, or a host whose node was ended
 * for longer than one that is lost would be gone for the moment until it is heard: it was there at `heardAt` at least.
 */
export function beginLife(peer: KnownPeer, incarnation: number, heardAt: number): void {
  Object.assign(peer, {
    incarnation,
    heardAt: Math.max(peer.heardAt, heardAt),
    returning: peer.left || peer.returning,
    sequence: -1,
    proven: false,
    left: false,
    rttMs: undefined,
    skewMs: undefined,
    skewRttMs: Infinity,
    skewSamples: 0,
  });
}

/** Notes how long an answer took, and how far the peer's clock is ahead by it. */
export function measurePeer(peer: KnownPeer, rttMs: number, skewMs: number): void {
  peer.rttMs = peer.rttMs === undefined ? rttMs : peer.rttMs + (rttMs - peer.rttMs) * SMOOTHING;
  if (rttMs > peer.skewRttMs && peer.skewSamples++ < SKEW_SAMPLES) return;
  Object.assign(peer, { skewMs, skewRttMs: rttMs, skewSamples: 0 });
}
