// SPDX-License-Identifier: Apache-2.0

/**
 * What varies in a log line, by name; undefined is left out. Units are in the names, secrets are never in the values.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Constant messages, variables in fields; `error` only if a person should act. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
