// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import type { LoadedSettings } from "#config/load-settings.ts";

/** What parts are made from. */
export interface Ground {
  readonly context: Context;
  /** What a node started here would have; undefined when the settings are wrong. */
  readonly loaded: LoadedSettings | undefined;
  /** How many decisions are asked for. */
  readonly decisions: number;
  readonly signal: AbortSignal;
}

/** One file of a bundle. */
export interface Part {
  readonly file: string;
  /** A document, or the text of a log. Throws when it cannot be had; what it says is told instead. */
  read(ground: Ground): Promise<unknown>;
}

/** How one file came out. */
export interface Collected {
  readonly file: string;
  readonly sizeBytes: number;
  readonly tookMs: number;
  /** Why there is none. */
  readonly problem?: string;
  /** Which nodes have no part in it. */
  readonly missing?: readonly string[];
  /** What was cut off since it was too long, bytes. */
  readonly cutBytes?: number;
}
