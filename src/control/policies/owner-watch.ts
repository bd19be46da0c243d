// SPDX-License-Identifier: Apache-2.0
// Addresses that have another owner: other hosts may take him for the one before until they have heard.
import type { Clock } from "#base/clock.ts";
import type { PolicyInstance } from "#policy/world.ts";

export interface OwnerWatch {
  /** What was told to others until now, and what they are about to be told. */
  note(before: readonly PolicyInstance[], after: readonly PolicyInstance[]): void;
  /** Ids of instances with an address that was another's a moment ago. */
  listFresh(): ReadonlySet<string>;
}

/** How long other nodes are given to hear that an address has another owner. */
export const HEARD_MS = 500;

const listOwners = (instances: readonly PolicyInstance[]): ReadonlyMap<string, string> =>
  new Map(instances.flatMap(({ id, addresses }) => addresses.map((address) => [address, id])));

/** Knows of nobody yet. */
export function createOwnerWatch(clock: Clock): OwnerWatch {
  /** Addresses that somebody had, until when that matters. */
  const freedUntil = new Map<string, number>();
  const freshUntil = new Map<string, number>();
  const forget = (times: Map<string, number>, nowMs: number): void => {
    for (const [key, untilMs] of times) if (untilMs <= nowMs) times.delete(key);
  };

  return {
    note(before, after) {
      const nowMs = clock.monotonicMs();
      forget(freedUntil, nowMs);
      const [was, is] = [listOwners(before), listOwners(after)];
      for (const [address, id] of was)
        if (is.get(address) !== id) freedUntil.set(address, nowMs + HEARD_MS);
      for (const [address, id] of is)
        if (was.get(address) !== id && freedUntil.has(address))
          freshUntil.set(id, nowMs + HEARD_MS);
    },
    listFresh() {
      forget(freshUntil, clock.monotonicMs());
      return new Set(freshUntil.keys());
    },
  };
}
