// SPDX-License-Identifier: Apache-2.0
import type { DiscoveryWay } from "@fairlead/protocol/views.ts";
import type { Discovery } from "#discovery/discovery.ts";
import type { Source } from "#discovery/neighbours.ts";

/** One way, and what is said of it. */
export interface OpenedWay {
  readonly kind: Source;
  /** Absent where the way is off or could not be opened. */
  readonly discovery?: Discovery;
  read(): DiscoveryWay;
  /** For one that could not be opened and may be later: tries again. */
  readonly retry?: () => Promise<OpenedWay>;
}
