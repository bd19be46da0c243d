// SPDX-License-Identifier: Apache-2.0
import { FabricError } from "@fairlead/fabric/errors.ts";

/** Milliseconds, or text as people write it: `250ms`, `20s`, `5m`, `1h`. */
export type Duration = number | string;

const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A duration in milliseconds. Throws `invalid_argument` for what is none. */
export function toMs(duration: Duration): number {
  if (typeof duration === "number" && duration >= 0) return duration;
  const match = FORM.exec(String(duration));
  const unit = UNITS[match?.[2] ?? ""];
  if (match === null || unit === undefined)
    throw new FabricError(
      "invalid_argument",
      `"${duration}" is no duration; write 250ms, 20s or 5m`,
    );
  return Number(match[1]) * unit;
}
