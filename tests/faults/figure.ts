// SPDX-License-Identifier: Apache-2.0
// What a case measured, and against which goal.
import { formatDuration } from "#base/duration.ts";

/** One thing that a case measured. */
export interface Figure {
  readonly what: string;
  readonly value: string;
  /** What it has to be; empty where it is only told. */
  readonly goal: string;
  readonly holds: boolean;
}

/** A figure that is only told. */
export function tell(what: string, value: string): Figure {
  return { what, value, goal: "", holds: true };
}

/** A time that has a limit. */
export function within(what: string, ms: number, limitMs: number): Figure {
  const value = formatDuration(Math.round(ms / 10) * 10);
  return { what, value, goal: `≤ ${formatDuration(limitMs)}`, holds: ms <= limitMs };
}

/** A count that has a limit. */
export function atMost(what: string, count: number, limit: number): Figure {
  return { what, value: String(count), goal: `≤ ${limit}`, holds: count <= limit };
}
