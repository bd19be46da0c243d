// SPDX-License-Identifier: Apache-2.0
// Nodes that a store has forgotten, which enter its roll again: for so long the others count on them as before.
import type { Clock } from "#base/clock.ts";

const RETURN_MS = 10_000;

/** Ids of nodes, each until it has entered again or has had its time. */
export interface Returning {
  expect(id: string): void;
  forget(id: string): void;
  /** Those that have had their time; they are expected no more. */
  takeLate(): readonly string[];
}

/** Makes it; nobody is expected yet. */
export function createReturning(clock: Pick<Clock, "monotonicMs">): Returning {
  const untilMs = new Map<string, number>();
  return {
    expect: (id) => void untilMs.set(id, clock.monotonicMs() + RETURN_MS),
    forget: (id) => void untilMs.delete(id),
    takeLate() {
      const nowMs = clock.monotonicMs();
      const late = [...untilMs].flatMap(([id, endMs]) => (endMs <= nowMs ? [id] : []));
      for (const id of late) untilMs.delete(id);
      return late;
    },
  };
}
