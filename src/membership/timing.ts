// SPDX-License-Identifier: Apache-2.0

/** When what is done about a silence. */
export interface Timing {
  /** One peer is pinged this often. Lower notices sooner and costs two datagrams each time. */
  readonly periodMs: number;
  /** A peer that nobody heard for this long is pinged by all, directly and through others. */
  readonly probeMs: number;
  /** … is suspected: nothing new goes there. */
  readonly suspectMs: number;
  /** … is gone. Above the longest pause that is to be forgiven. */
  readonly goneMs: number;
}

/** A pause of 5 s is forgiven; who is silent for longer is gone before 6 s. */
export const TIMING: Timing = { periodMs: 200, probeMs: 500, suspectMs: 1_000, goneMs: 5_500 };
