// SPDX-License-Identifier: Apache-2.0
// What becomes of a node of the fleet, as decisions. Pure.
import type { NodeFarewell, NodeState, NodeView } from "@fairlead/protocol/node.ts";
import type { PlannedAction } from "#model/action.ts";

/** That a node went away, or is back after it was `was`. */
export function describeTurn(view: NodeView, was: NodeState, nowMs: number): PlannedAction {
  const isBack = view.state === "alive";
  return {
    key: `node/${view.id}`,
    act: isBack ? "node.back" : "node.gone",
    object: `node/${view.name}`,
    title: isBack ? `marked ${view.name} as back` : `marked ${view.name} as ${view.state}`,
    trigger: {
      kind: "members",
      detail: isBack ? `heard again, after it was ${was}` : view.reason,
      atMs: nowMs,
    },
    rule: { text: "gone after 5.5s without a word to anybody, and without a lease in the store" },
    inputs: {
      id: view.id,
      address: view.address ?? "",
      was,
      silentMs: Math.round(view.silentMs ?? 0),
      lease: view.lease === undefined ? "unknown" : view.lease ? "lives" : "ended",
    },
    notDone: [],
  };
}

/** That a node is new in the fleet, and has been heard. */
export function describeArrival(
  { id, name, address = "" }: NodeView,
  nowMs: number,
): PlannedAction {
  return {
    key: `node/${id}`,
    act: "node.join",
    object: `node/${name}`,
    title: `saw ${name} join the fleet`,
    trigger: { kind: "members", detail: "new on the roll, and heard", atMs: nowMs },
    rule: { text: "who stands on the roll belongs to the fleet" },
    inputs: { id, address },
    notDone: [],
  };
}

/** That a node belongs to the fleet no more. */
export function describeFarewell(farewell: NodeFarewell, nowMs: number): PlannedAction {
  const { id, name, how, by, reason } = farewell;
  const isLeft = how === "left";
  return {
    key: `node/${id}`,
    act: isLeft ? "node.leave" : "node.remove",
    object: `node/${name}`,
    title: isLeft ? `saw ${name} leave the fleet` : `saw ${name} removed from the fleet`,
    trigger: { kind: "members", detail: `asked by ${by}`, atMs: nowMs },
    rule: { text: "who stands on the roll belongs to the fleet" },
    inputs: { id, ...(reason === undefined ? {} : { reason }) },
    notDone: [],
  };
}
