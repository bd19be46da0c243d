// SPDX-License-Identifier: Apache-2.0
// Whether singletons may run on this node: what a lease in the fleet's store says, and what is assigned where there is none yet.
import type { Clock } from "#base/clock.ts";
import type { Fence } from "#brain/pass.ts";
import { listSlots } from "#brain/slots.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import type { FleetBoard } from "./fleet-board.ts";
import type { Parting } from "./parting.ts";
import type { PictureReader } from "./read-picture.ts";

/** How long a node that has just started waits for the word of the fleet before it stops what must not run twice. */
const UNSURE_MS = 5_000;

export interface FencingOptions {
  /** Id of this node. */
  readonly self: string;
  readonly board: Pick<FleetBoard, "problem" | "heldLease">;
  readonly pictures: Pick<PictureReader, "scope">;
  /** The lease under which others knew this node to be there when there was last nothing left to take over. */
  readonly settledUnder: () => string | undefined;
  readonly parting: Pick<Parting, "isAwaited">;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Makes what reads it for a scope, by what this node is to have of it; its start counts from the first read. */
export function createFencing(options: FencingOptions): (intent: Intent) => Fence {
  const { self, board, pictures, settledUnder, parting, clock } = options;
  /** When it was first read, which is when loops begin: all that a start does before is none of the store's. */
  let firstMs: number | undefined;

  /** Whether the store, which answers, has all of a singleton that this node is to have assigned to it, and waits for no other. */
  function isAssigned(scope: string, service: ServiceIntent): boolean {
    const placed = pictures.scope(scope)?.assignment?.services[service.name] ?? [];
    const own = placed.filter(({ node, from = [] }) => node === self && from.length === 0);
    const slots = new Set(own.map(({ slot }) => slot));
    return listSlots(service).every((slot) => slots.has(slot));
  }

  return ({ scope, services }) => {
    firstMs ??= clock.monotonicMs();
    const lease = board.heldLease;
    const under = settledUnder();
    if (lease !== undefined && under === lease) return "open";
    // What a life before this one left running is nobody's word that it may run.
    if (parting.isAwaited || clock.monotonicMs() - firstMs < UNSURE_MS) return "unsure";
    if (lease === undefined) return "shut";
    if (under !== undefined) return "unsure";
    // It is late to say that it is there, as on a busy host, and nobody else was given what it runs: it is told at once of that.
    if (board.problem !== undefined) return "shut";
    const singletons = services.filter(({ singleton }) => singleton === true);
    return singletons.every((one) => isAssigned(scope, one)) ? "unsure" : "shut";
  };
}
