// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "#config/settings.ts";
import type { ApiClient } from "./api-client.ts";
import type { Output } from "./output.ts";
import type { Parsed } from "./parsed.ts";

/** What the process gives its commands. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly uid: number;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Fairlead's own directory, with a slash at its end. */
  readonly root: string;
  readonly version: string;
  /** Runs a node until the signal aborts; resolves with its exit code. */
  readonly runNode: (settings: Settings, signal: AbortSignal) => Promise<number>;
  readonly stdinIsTty: boolean;
}

/** What a command works with. */
export interface Context extends World {
  readonly parsed: Parsed;
  readonly out: Output;
  /** Path of the node's socket. */
  readonly socket: string;
  readonly api: ApiClient;
}
