// SPDX-License-Identifier: Apache-2.0
// Values of flags, checked before anything is called.
import { parseDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { cliErrors } from "./errors.ts";
import type { Flag } from "./flags.ts";

function refuse(flag: Flag, value: string, wanted: string, remedy?: string): FairleadError {
  return new FairleadError(cliErrors["bad-value"], `--${flag.name} does not take "${value}"`, {
    facts: { takes: wanted },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** A duration ago, or a time, as whole milliseconds since 1970, none before; undefined when it is neither. */
export function parseTime(text: string, nowMs: number): number | undefined {
  try {
    return Math.max(0, Math.floor(nowMs - parseDuration(text)));
  } catch {
    const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
    return Number.isNaN(atMs) ? undefined : Math.max(0, atMs);
  }
}

/** What the API takes as a reason. */
const SENTENCE_MAX = 500;
const DURATION_MAX_MS = 3_650 * 86_400_000;

function isDuration(text: string): boolean {
  try {
    return parseDuration(text) <= DURATION_MAX_MS;
  } catch {
    return false;
  }
}

/** Throws FL0605 unless the flag takes the value. */
export function checkFlagValue(flag: Flag, value: string): void {
  const kind = flag.value;
  if (kind === undefined) return;
  if (typeof kind !== "string") {
    if (kind.includes(value)) return;
    const nearest = findNearest(value, kind);
    throw refuse(
      flag,
      value,
      kind.join(", "),
      nearest && `did you mean --${flag.name} ${nearest}?`,
    );
  }
  if (value === "") throw refuse(flag, value, "something, not nothing");
  if (kind === "duration" && !isDuration(value))
    throw refuse(flag, value, "a duration: 500ms, 10s, 1m30s, 2h; at most 3650d");
  if (kind === "sentence" && value.length > SENTENCE_MAX)
    throw refuse(flag, `${value.slice(0, 20)}…`, `at most ${SENTENCE_MAX} characters`);
  if (kind === "count" && !/^\d{1,9}$/.test(value)) throw refuse(flag, value, "a whole number");
  if (kind === "time" && parseTime(value, 0) === undefined)
    throw refuse(flag, value, "a duration ago (10m) or a time (2026-11-23T10:00:00Z)");
  if (kind === "assignment" && !/^[^=]+=/.test(value)) throw refuse(flag, value, "KEY=VALUE");
  if (kind === "scope" && !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(value))
    throw refuse(flag, value, "lower-case letters, digits, - and _, at most 63 characters");
}
