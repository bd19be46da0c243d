// SPDX-License-Identifier: Apache-2.0
// Whom a node watches closely. In a large fleet each node has a circle of its own: so many peers hear of each other in
// every datagram, and what watching costs a node does not grow with the fleet. Pure.
import type { Random } from "#base/clock.ts";
import { keepLargest } from "./keep-largest.ts";

/** Peers of a circle; in a fleet with no more, all nodes watch each other. Even. */
export const CIRCLE_MAX = 24;

const TURN = 2 ** 32;

/** Where an id stands on a ring: FNV-1a, which is the same everywhere. */
function placeOnRing(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** The ids next to `self` on the ring, half on each side: those have `self` in their circles too. All when there are no more. */
export function chooseCircle(self: string, ids: readonly string[]): ReadonlySet<string> {
  if (ids.length <= CIRCLE_MAX) return new Set(ids);
  const from = placeOnRing(self);
  const placed = ids.map((id) => ({ id, ahead: (placeOnRing(id) - from + TURN) % TURN }));
  const next = keepLargest(placed, CIRCLE_MAX / 2, ({ ahead }) => -ahead);
  const last = keepLargest(placed, CIRCLE_MAX / 2, ({ ahead }) => ahead);
  return new Set([...next, ...last].map(({ id }) => id));
}

/** All of them, in an order that nobody knows. */
export function shuffle(ids: Iterable<string>, random: Random): string[] {
  return [...ids]
    .map((id) => ({ id, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ id }) => id);
}

/** Gives everybody once in each round, in an order that nobody knows; undefined while there is nobody. */
export function createTurns(
  peers: ReadonlySet<string>,
  random: Random,
): { take(): string | undefined } {
  let round: string[] = [];
  return {
    take() {
      while (round.length > 0 || peers.size > 0) {
        if (round.length === 0) round = shuffle(peers, random);
        const id = round.pop();
        if (id !== undefined && peers.has(id)) return id;
      }
      return undefined;
    },
  };
}

/** Each so many turns are for the circle, one is for the others. */
const CIRCLE_TURNS = 1;

/** The circle of a node, and all others. */
export interface Circle {
  readonly near: ReadonlySet<string>;
  readonly far: ReadonlySet<string>;
  /** Chooses anew among these. */
  draw(ids: readonly string[]): void;
  /** Whose turn it is to be asked. */
  takeTurn(): string | undefined;
}

/** Makes the circle of `self`, with nobody in it. */
export function createCircle(self: string, random: Random): Circle {
  const near = new Set<string>();
  const far = new Set<string>();
  const turns = { near: createTurns(near, random), far: createTurns(far, random) };
  let count = 0;
  return {
    near,
    far,
    draw(ids) {
      const chosen = chooseCircle(self, ids);
      near.clear();
      far.clear();
      for (const id of ids) (chosen.has(id) ? near : far).add(id);
    },
    takeTurn() {
      const isFar = far.size > 0 && count++ % (CIRCLE_TURNS + 1) === CIRCLE_TURNS;
      return (isFar ? turns.far : turns.near).take();
    },
  };
}
