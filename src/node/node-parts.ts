// SPDX-License-Identifier: Apache-2.0
// What a node is started with.
import type { Clock, Random } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";

/** What a node is made of. */
export interface NodeParts {
  readonly settings: Settings;
  readonly version: string;
  /** Directory of the built page; undefined when there is none. */
  readonly pageDirectory: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
