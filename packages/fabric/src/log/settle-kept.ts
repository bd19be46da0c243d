// SPDX-License-Identifier: Apache-2.0
import type { Settlement } from "@fairlead/protocol/fabric.ts";
import type { Group } from "./message-log.ts";

/** Does with a message what a subscriber has said of it. */
export function settleKept(group: Group, settlement: Settlement): Promise<void> {
  if ("ack" in settlement) return group.ack(settlement.ack);
  if ("nack" in settlement) return group.nack(settlement.nack, { delayMs: settlement.delayMs });
  return group.reject(settlement.reject, settlement.reason);
}
