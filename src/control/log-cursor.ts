// SPDX-License-Identifier: Apache-2.0
// How far the log of one container has been read, so that reading it anew loses nothing and doubles nothing. Times alone do
// not say it: two lines may have one time, and the engine writes the lines of both streams in the order in which it got
// hold of them, which is not quite that of their times. So reading goes back a little, and what was there before is known.
import type { LogLine } from "#engine/engine.ts";

/** Further apart than this, lines are in the order of their times. */
const OVERLAP_NS = 10_000_000n;

export interface LogCursor {
  /** What the next reading has to begin with; undefined: with the first line. */
  readonly sinceNs: bigint | undefined;
  /** Says that the log is read anew from `sinceNs`. */
  restart(): void;
  /** Notes a line; false for one that was there in an earlier reading. */
  take(line: LogLine): boolean;
}

interface Seen {
  readonly atNs: bigint;
  count: number;
}

/** A cursor before the first line. */
export function createLogCursor(): LogCursor {
  /** Lines of the newest times, by time and stream, in the order of the log. */
  const recent = new Map<string, Seen>();
  /** Those of them that a new reading will bring again. */
  const expected = new Map<string, number>();
  let newestNs: bigint | undefined;
  let floorNs = 0n;
  /**
   * In a new reading, no line is new before one that was there: what precedes it was read, or was left out on purpose when
   * only the last lines were asked for. One that is newer than all ends it too: the log may have been rotated away.
   */
  let skipUpToNs: bigint | undefined;

  function remember(key: string, atNs: bigint): void {
    const seen = recent.get(key);
    if (seen === undefined) recent.set(key, { atNs, count: 1 });
    else seen.count++;
    if (newestNs === undefined || atNs > newestNs) newestNs = atNs;
    for (const [oldest, { atNs: time }] of recent) {
      if (time >= newestNs - OVERLAP_NS) break;
      recent.delete(oldest);
    }
  }

  return {
    get sinceNs() {
      return newestNs === undefined ? undefined : newestNs - OVERLAP_NS;
    },
    restart() {
      floorNs = newestNs === undefined ? 0n : newestNs - OVERLAP_NS;
      skipUpToNs = newestNs;
      expected.clear();
      for (const [key, { count }] of recent) expected.set(key, count);
    },
    take({ atNs, stream }) {
      if (atNs === undefined) return true;
      if (atNs < floorNs) return false;
      const key = `${atNs} ${stream}`;
      const again = expected.get(key) ?? 0;
      if (again > 0) {
        expected.set(key, again - 1);
        skipUpToNs = undefined;
        return false;
      }
      if (skipUpToNs !== undefined && atNs <= skipUpToNs) return false;
      skipUpToNs = undefined;
      remember(key, atNs);
      return true;
    },
  };
}
