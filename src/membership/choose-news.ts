// SPDX-License-Identifier: Apache-2.0
// What a datagram tells of other peers. Pure.
import type { Random } from "#base/clock.ts";
import { keepLargest } from "./keep-largest.ts";
import type { KnownPeer } from "./known-peer.ts";
import type { Age } from "./messages.ts";
import type { Timing } from "./timing.ts";

const NEWS_MAX = 64;
/** Of those that are quiet, as many are told of at once. */
const QUIET_MAX = 8;

export interface NewsParts {
  readonly watched: Iterable<KnownPeer>;
  /** The one that the datagram is about. */
  readonly about: KnownPeer | undefined;
  /** The observer's time, and since when it can say how old something is. */
  readonly time: number;
  readonly tellFrom: number;
  readonly timing: Timing;
  /** Whether there are nodes that do not watch whom this one does: they have to be told who is gone. */
  readonly isLarge: boolean;
  /** Whether it goes to one of the circle: others have no use for who is well. */
  readonly isNear: boolean;
  readonly random: Random;
}

/**
 * The one that it is about first, then some that are quiet, then the freshest: who hears somebody tells it on, and what does
 * not fit is left out.
 */
export function chooseNews(parts: NewsParts): readonly Age[] {
  const { watched, about, time, tellFrom, timing, isLarge, isNear, random } = parts;
  const isTellable = ({ left, sequence, heardAt }: KnownPeer): boolean =>
    !left && sequence >= 0 && heardAt >= tellFrom;
  const quiet: KnownPeer[] = [];
  const fresh: KnownPeer[] = [];
  for (const peer of watched) {
    if (peer === about || !isTellable(peer)) continue;
    const ageMs = time - peer.heardAt;
    if (ageMs < timing.suspectMs) {
      if (isNear) fresh.push(peer);
    } else if (ageMs < timing.goneMs || isLarge) quiet.push(peer);
  }
  const first = about === undefined || !isTellable(about) ? [] : [about];
  const some = keepLargest(quiet, QUIET_MAX, random);
  const left = NEWS_MAX - first.length - some.length;
  const rest = keepLargest(fresh, left, ({ heardAt }) => heardAt);
  const told = [...first, ...some, ...rest.toSorted((a, b) => b.heardAt - a.heardAt)];
  return told.map(({ id, incarnation, sequence, heardAt }) => ({
    id,
    incarnation,
    sequence,
    ageMs: time - heardAt,
  }));
}
