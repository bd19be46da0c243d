// SPDX-License-Identifier: Apache-2.0
// What a packet filter does with a table, so that it can be asked without one.
import type { PolicyProtocol } from "#model/policy.ts";
import { findClass } from "./build-table.ts";
import type { DirectionTable } from "./verdict-table.ts";

/** One end of a conversation as the other sees it: from or to which address, on which port of the one that is called. */
export interface Approach {
  readonly address: string;
  readonly protocol: PolicyProtocol;
  /** 0 for ICMP. */
  readonly port: number;
}

/** Whether a direction lets it pass; one without a table lets everything pass. */
export function lookUp(table: DirectionTable | undefined, approach: Approach): boolean {
  if (table === undefined) return true;
  const number = findClass(table, approach.address);
  const found = number === undefined ? undefined : table.classes[number];
  if (found === undefined) return false;
  return (
    found.everything ||
    found.ranges.some(
      ({ protocol, first, last }) =>
        protocol === approach.protocol && first <= approach.port && approach.port <= last,
    )
  );
}
