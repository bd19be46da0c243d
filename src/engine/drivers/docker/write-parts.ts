// SPDX-License-Identifier: Apache-2.0
// What every write of the driver has in common.
import type { WriteOptions } from "#engine/engine.ts";
import type { CallParts } from "./connection.ts";

/** A write that has no answer after this time has failed, milliseconds. */
export const START_MS = 60_000;

/** The parts of a call for a write: its decision, its signal, its deadline. */
export function parts(
  options: WriteOptions,
  deadlineMs: number,
  more: Partial<CallParts> = {},
): CallParts {
  return {
    decision: options.decision,
    signal: options.signal,
    deadlineMs: options.deadlineMs ?? deadlineMs,
    ...more,
  };
}

/** The path of a container. */
export const at = (id: string): string => `/containers/${encodeURIComponent(id)}`;
