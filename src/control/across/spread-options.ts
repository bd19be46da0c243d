// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import type { FleetDesk } from "#control/fleet/fleet-desk.ts";
import type { Operations } from "#control/operations.ts";
import type { ActHere } from "./act-here.ts";
import type { OtherNodes } from "./ask-nodes.ts";

/** What operations over all nodes are made of. */
export interface SpreadOptions {
  /** Those of this node alone. */
  readonly local: Operations;
  readonly actHere: ActHere;
  readonly others: OtherNodes;
  readonly desk: Pick<FleetDesk, "wanted" | "hold">;
  /** Name of this node. */
  readonly self: string;
  readonly clock: Clock;
}

/** With the name of the node that has it. */
export function stamp<T extends object>(
  items: readonly T[],
  node: string,
): (T & { node: string })[] {
  return items.map((item) => ({ ...item, node }));
}
