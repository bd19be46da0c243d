// SPDX-License-Identifier: Apache-2.0
// The operations of a node that belongs to a fleet: over all its nodes, and for those that ask this one.
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import type { Settings } from "#config/settings.ts";
import { createActHere } from "#control/across/act-here.ts";
import { answerNodes } from "#control/across/answer-nodes.ts";
import { createOtherNodes } from "#control/across/ask-nodes.ts";
import { spreadOperations } from "#control/across/spread-operations.ts";
import type { PeerFleet } from "#control/fleet.ts";
import type { FleetDesk } from "#control/fleet/fleet-desk.ts";
import { createIdentityKeeper } from "#control/identity/keep-identity.ts";
import type { Operations } from "#control/operations.ts";
import { createPeers, type Peers, type PeersOptions } from "#control/peers.ts";
import type { Roll } from "#control/roll.ts";
import type { Supervisor } from "#control/supervisor.ts";
import { noteRefusals } from "./note-refusals.ts";
import { openGiven } from "./start-places.ts";

export interface SpreadParts {
  readonly peers: Peers | undefined;
  readonly desk: FleetDesk | undefined;
  readonly roll: Pick<Roll, "list">;
  readonly supervisor: Supervisor;
  /** Name of this node. */
  readonly self: string;
  readonly clock: Clock;
}

/** Who this node is, and the way to other nodes; undefined without a fleet. */
export function openPeers(
  options: Omit<PeersOptions, "fleet" | "self" | "identity" | "onRefused"> & {
    readonly fleet: PeerFleet | undefined;
    readonly self: { readonly id: string; readonly name: string; readonly port: number };
    readonly settings: Settings;
    readonly audit: Pick<AuditLog, "note">;
  },
): Peers | undefined {
  const { fleet, audit, clock } = options;
  if (fleet === undefined) return undefined;
  const given = openGiven(options.settings, options);
  const identity = createIdentityKeeper({ ...options, fleet, given });
  const onRefused = noteRefusals(audit, clock, "connection of a node");
  return createPeers({ ...options, fleet, identity, onRefused });
}

/** The operations that faces are given; without a fleet they are those of the node alone. */
export function spreadOut(local: Operations, parts: SpreadParts): Operations {
  const { peers, desk, roll, supervisor, self, clock } = parts;
  if (peers === undefined || desk === undefined) return local;
  const actHere = createActHere(local, supervisor);
  answerNodes({ peers, operations: local, actHere, nodes: () => roll.list(), clock });
  const others = createOtherNodes(peers, roll);
  return spreadOperations({ local, actHere, others, desk, self, clock });
}
