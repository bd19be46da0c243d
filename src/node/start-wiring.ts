// SPDX-License-Identifier: Apache-2.0
// What keeps the agents of all hosts wired as their topologies say, and sees who talks to whom.
import type { NodeIdentity } from "@fairlead/fabric/node-links.ts";
import { createFellowNodes } from "#control/fleet/fellow-nodes.ts";
import { createObservedBoard, type ObservedBoard } from "#control/observed-board.ts";
import type { Roll } from "#control/roll.ts";
import { createWiring, type Wiring, type WiringOptions } from "#control/wiring.ts";
import type { Fabric } from "#fabric/fabric.ts";

/** Makes both; members that join are wired from now on. */
export function startWiring(
  parts: Omit<WiringOptions, "fabric" | "observed" | "fellows"> & {
    readonly fabric: Fabric;
    readonly self: NodeIdentity;
    readonly roll: Pick<Roll, "list" | "onLook">;
  },
): { readonly wiring: Wiring; readonly observed: ObservedBoard } {
  const { fabric, self, roll, clock } = parts;
  const { nodes } = fabric;
  const observed = createObservedBoard({ fabric, clock });
  const fellows = nodes === undefined ? undefined : createFellowNodes({ self, nodes, roll });
  return { wiring: createWiring({ ...parts, observed, fellows }), observed };
}
