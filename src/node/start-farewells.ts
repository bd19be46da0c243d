// SPDX-License-Identifier: Apache-2.0
// What is about to be stopped, told to all hosts.
import type { Clock, Random } from "#base/clock.ts";
import { createId } from "#base/ids.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { createFarewells, type Farewells } from "#control/farewells.ts";
import type { Fleet } from "#control/fleet.ts";
import type { Roll } from "#control/roll.ts";
import type { ScopeLoop } from "#control/scope-loop.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";

export interface FarewellParts {
  readonly self: { readonly id: string };
  readonly fleet: Fleet | undefined;
  readonly fabric: Pick<Fabric, "nodes">;
  readonly roll: Pick<Roll, "list" | "onLook">;
  readonly board: FactsBoard;
  readonly clock: Clock;
  readonly random: Random;
}

/** Makes the loop. */
export function openFarewells(parts: FarewellParts): Farewells {
  const { self, fleet, fabric, roll, board, clock, random } = parts;
  const { nodes } = fabric;
  return createFarewells({
    board,
    fleet: fleet && nodes && { self: self.id, nodes, roll },
    life: createId("life", clock.nowMs(), random),
    clock,
  });
}

/** What keeps others from an instance that is to be stopped; where its whole scope goes there is nobody to send to instead. */
export function createWithdrawing(
  farewells: Farewells,
  loopOf: (scope: string) => Pick<ScopeLoop, "desired"> | undefined,
): (instance: InstanceFact) => Promise<Disposable | undefined> {
  return async (instance) =>
    loopOf(instance.scope)?.desired.removal === undefined ? farewells.part(instance) : undefined;
}
