// SPDX-License-Identifier: Apache-2.0
// What becomes of a node of the fleet, as decisions. Pure.
import type { NodeState, NodeView } from "@fairlead/protocol/node.ts";
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
