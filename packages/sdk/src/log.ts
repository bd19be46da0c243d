// SPDX-License-Identifier: Apache-2.0
// Lines for people and programs: one JSON object each, as Fairlead's own log page and most collectors read them.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

type Level = keyof Log;

/** Takes one line: what it says, and what is known of where it was said. */
type Write = (level: Level, message: string, fields: LogFields) => void;

function createLog(write: Write): Log {
  return {
    debug: (message, fields = {}) => write("debug", message, fields),
    info: (message, fields = {}) => write("info", message, fields),
    warn: (message, fields = {}) => write("warn", message, fields),
    error: (message, fields = {}) => write("error", message, fields),
  };
}

function toJson(_: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? String(value) : value;
}

/** Writes JSON lines to the standard error. */
export function createJsonLog(): Log {
  return createLog((level, message, fields) => {
    const line = { time: new Date().toISOString(), level, message, ...fields };
    process.stderr.write(`${JSON.stringify(line, toJson)}\n`);
  });
}

/** The same log, with these fields in each line. */
export function withFields(log: Log, known: LogFields): Log {
  return createLog((level, message, fields) => log[level](message, { ...known, ...fields }));
}
