// SPDX-License-Identifier: Apache-2.0
import { parseDuration } from "#base/duration.ts";
import { parseTime } from "./flag-values.ts";

/** The words of one command line, checked. Flags are asked for by their long name. */
export interface Parsed {
  readonly arguments: readonly string[];
  has(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  count(name: string): number | undefined;
  /** Whole milliseconds, rounded up: timers take no others. */
  durationMs(name: string): number | undefined;
  /** The same, but no longer than a timer can wait (24 days): a longer one would end at once. */
  waitMs(name: string): number | undefined;
  /** Milliseconds since 1970. */
  timeMs(name: string): number | undefined;
}

const TIMER_MAX_MS = 2 ** 31 - 1;

/** Reads flags from their values: a switch that was given has none. */
export function createParsed(
  args: readonly string[],
  values: ReadonlyMap<string, readonly string[]>,
): Parsed {
  const text = (name: string) => values.get(name)?.at(-1);
  const durationMs = (name: string) => {
    const given = text(name);
    return given === undefined ? undefined : Math.ceil(parseDuration(given));
  };
  return {
    arguments: args,
    has: (name) => values.has(name),
    text,
    list: (name) => values.get(name) ?? [],
    count: (name) => (text(name) === undefined ? undefined : Number(text(name))),
    durationMs,
    waitMs: (name) => {
      const ms = durationMs(name);
      return ms === undefined ? undefined : Math.min(ms, TIMER_MAX_MS);
    },
    timeMs: (name) => {
      const given = text(name);
      return given === undefined ? undefined : parseTime(given, Date.now());
    },
  };
}
