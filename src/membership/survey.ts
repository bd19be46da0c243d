// SPDX-License-Identifier: Apache-2.0
// When to look at everybody. Who loses a good part of its circle at once has most likely lost as much of the others, of whom
// it would hear one after the other: so it looks at all of them, within a second. What it finds is what counts.
import type { Random } from "#base/clock.ts";
import { shuffle } from "./circle.ts";
import type { KnownPeer } from "./known-peer.ts";

/** This share of a circle has to have become quiet. */
const SHARE = 1 / 4;
/** All others are looked at in so many ticks. */
const TICKS = 10;

/** How many of the circle are expected to answer, and how many of them do not. */
export interface CircleCount {
  readonly staying: number;
  readonly quiet: number;
}

type Peers = ReadonlyMap<string, Pick<KnownPeer, "left" | "state">>;

/** Counts them: who has left is not expected to answer. */
export function countCircle(near: ReadonlySet<string>, peers: Peers): CircleCount {
  let [staying, quiet] = [0, 0];
  for (const id of near) {
    const peer = peers.get(id);
    if (peer === undefined || peer.state === "left") continue;
    staying++;
    if (peer.state !== "alive") quiet++;
  }
  return { staying, quiet };
}

/** Whether there are peers in the circle and none of them is heard. */
export function hearsNobody(near: ReadonlySet<string>, peers: Peers): boolean {
  let isAlone = false;
  for (const id of near) {
    const peer = peers.get(id);
    if (peer?.state === "alive") return false;
    isAlone ||= peer !== undefined && peer.state !== "left";
  }
  return isAlone;
}

export interface Survey {
  /** Whom of those outside of the circle to look at in this tick. */
  take(circle: CircleCount, far: ReadonlySet<string>): readonly string[];
}

/** Makes one that has found nobody quiet yet. */
export function createSurvey(random: Random): Survey {
  let round: string[] = [];
  let perTick = 0;
  /** Of the circle, when it last looked at everybody; less once some are back. */
  let known = 0;
  return {
    take({ staying, quiet }, far) {
      known = Math.min(known, quiet);
      if (round.length === 0) {
        if (quiet - known < Math.max(1, staying * SHARE)) return [];
        round = shuffle(far, random);
        perTick = Math.ceil(round.length / TICKS);
      }
      const now = round.splice(-perTick);
      // More of the circle become quiet while it looks: these are not a reason to begin again.
      if (round.length === 0) known = quiet;
      return now;
    },
  };
}
