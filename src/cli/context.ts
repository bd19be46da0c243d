// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "#config/settings.ts";
import type { ApiClient } from "./api-client.ts";
import type { Output } from "./output.ts";
import type { Parsed } from "./parsed.ts";

/** From which store to which; where they are the settings say. */
export interface StoreMigration {
  readonly from: Settings["store"]["kind"];
  readonly to: Settings["store"]["kind"];
  readonly settings: Settings;
}

/** Entries that were copied, and that were left out. */
export interface StoreCopied {
  readonly entries: number;
  readonly left: number;
}

/** The settings that the node is to have, and what shows that it may join; without it the fleet is begun. */
export interface FleetOrder {
  readonly settings: Settings;
  readonly proof?: { readonly id: string; readonly secret: string };
}

/** Where other nodes reach this host; which live, and which of them answered. */
export interface FleetEntered {
  readonly address: string;
  readonly others: readonly string[];
  readonly heard: readonly string[];
}

/** Where a run writes, and what is known of who reads it. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

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
  /** Copies the state of a node that does not run. */
  readonly migrateStore: (order: StoreMigration) => Promise<StoreCopied>;
  /** Finds out whether a node with these settings may take part in its fleet, and puts it on the roll. */
  readonly enterFleet: (order: FleetOrder) => Promise<FleetEntered>;
  /** Calls back when the process is told to read its settings again; returns the function that ends it. */
  readonly onReload: (listener: () => void) => () => void;
  readonly stdinIsTty: boolean;
  readonly stdout: Screen;
  readonly stderr: Screen;
}

/** What a command works with. */
export interface Context extends World {
  readonly parsed: Parsed;
  readonly out: Output;
  /** Path of the node's socket. */
  readonly socket: string;
  readonly api: ApiClient;
}
