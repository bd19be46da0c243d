// SPDX-License-Identifier: Apache-2.0
// Where the time of a run went: a run that grows is looked into while its causes are still few.
import type { FileTally } from "./run-files.ts";

/** So many of the slowest are named, if they take so long; and each whose process lives on after its tests. */
const NAMED_MAX = 10;
const SLOW_MS = 10_000;
const AFTER_MS = 3_000;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** A line each, longest first; empty when all are fast. */
export function describeTimes(files: ReadonlyMap<string, FileTally>): string {
  const sorted = [...files].toSorted(([, a], [, b]) => b.tookMs - a.tookMs);
  return sorted
    .filter(
      ([, { tookMs, afterMs }], place) =>
        (place < NAMED_MAX && tookMs > SLOW_MS) || afterMs > AFTER_MS,
    )
    .map(([file, { tookMs, afterMs }]) => {
      const after = afterMs > AFTER_MS ? `, ${seconds(afterMs)} of it after its tests` : "";
      return `slow: ${file} took ${seconds(tookMs)}${after}\n`;
    })
    .join("");
}
