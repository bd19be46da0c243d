// SPDX-License-Identifier: Apache-2.0
import { baseErrors, FairleadError } from "./errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)/y;

/** `1h30m`, `500ms`, `90s`, `0` to milliseconds. Throws `invalid-argument` for anything else. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed) && Number(trimmed) === 0) return 0;
  let totalMs = 0;
  let at = 0;
  while (at < trimmed.length) {
    PART.lastIndex = at;
    const part = PART.exec(trimmed);
    if (part === null) break;
    totalMs += Number(part[1]) * (UNIT_MS[part[2] ?? ""] ?? 0);
    at = PART.lastIndex;
  }
  if (at === 0 || at < trimmed.length) {
    throw new FairleadError(
      baseErrors["invalid-argument"],
      `"${text}" is not a duration; write for example 500ms, 10s, 1m30s, 2h`,
    );
  }
  return totalMs;
}

/** Milliseconds as people write them: `340ms`, `12s`, `3m20s`, `2h5m`, `4d3h`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 10 && ms % 1_000 >= 100) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  if (seconds < 60) return `${seconds}s`;
  const pairs: [number, string, number, string][] = [
    [86_400, "d", 3_600, "h"],
    [3_600, "h", 60, "m"],
    [60, "m", 1, "s"],
  ];
  for (const [big, bigUnit, small, smallUnit] of pairs) {
    if (seconds < big) continue;
    const rest = Math.floor((seconds % big) / small);
    return `${Math.floor(seconds / big)}${bigUnit}${rest > 0 ? `${rest}${smallUnit}` : ""}`;
  }
  return `${seconds}s`;
}
