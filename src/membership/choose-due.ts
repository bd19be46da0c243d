// SPDX-License-Identifier: Apache-2.0
// Which of those that are not heard to ask in a tick. Pure.
import type { Random } from "#base/clock.ts";
import { keepLargest } from "./keep-largest.ts";
import type { KnownPeer } from "./known-peer.ts";
import type { Timing } from "./timing.ts";

/** Quiet peers that one tick probes at least; of more of them a tenth, so that each is probed once a second. */
const QUIET_MIN = 16;
const QUIET_TICKS = 10;
/** Those that are gone are asked every so many ticks whether they are back, so many in one. */
const GONE_TICKS = 10;
const GONE_MAX = 16;

export interface DueParts {
  readonly watched: Iterable<KnownPeer>;
  /** Of the observer. */
  readonly ticks: number;
  readonly time: number;
  readonly timing: Timing;
  readonly random: Random;
}

/** Whether nobody expects an answer of it. */
export function isAway({ state, returning }: KnownPeer): boolean {
  return state === "gone" || (state === "left" && !returning);
}

/** Some that are quiet or have never answered, and some of those that are away: who was not asked for the longest first. */
export function chooseDue({ watched, ticks, time, timing, random }: DueParts): KnownPeer[] {
  const quiet: KnownPeer[] = [];
  const away: KnownPeer[] = [];
  for (const peer of watched)
    if (isAway(peer)) {
      if ((ticks + peer.phase) % GONE_TICKS === 0) away.push(peer);
    } else if (time - peer.heardAt >= timing.probeMs || !peer.proven) quiet.push(peer);
  const weigh = ({ probedTick }: KnownPeer): number => ticks - probedTick + random();
  const count = Math.max(QUIET_MIN, Math.ceil(quiet.length / QUIET_TICKS));
  return [...keepLargest(quiet, count, weigh), ...keepLargest(away, GONE_MAX, weigh)];
}
