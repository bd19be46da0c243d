// SPDX-License-Identifier: Apache-2.0
import type { LogFields, Logger } from "#base/logger.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** One JSON object a line: time, level, message, fields. */
export function createJsonLogger(
  write: (line: string) => void,
  least: LogLevel,
  nowMs: () => number,
  fixed: LogFields = {},
): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
      const time = new Date(nowMs()).toISOString();
      write(`${JSON.stringify({ time, level, message, ...fixed, ...fields })}\n`);
    };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => createJsonLogger(write, least, nowMs, { ...fixed, ...fields }),
  };
}
