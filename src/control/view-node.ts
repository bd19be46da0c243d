// SPDX-License-Identifier: Apache-2.0
// A node as lists show it: its record, and what is known of whether it lives.
import type { NodeRecord, NodeView } from "@fairlead/protocol/node.ts";
import type { Member } from "#membership/membership.ts";
import { judgeNode, type Witness } from "./judge-node.ts";

/** By a node's own record, which is replaced when something of it changes: as it is listed. */
const ownViews = new WeakMap<NodeRecord, NodeView>();

/** The node that looks. */
export function viewSelf(own: NodeRecord): NodeView {
  const known = ownViews.get(own);
  if (known !== undefined) return known;
  const { address, port, ...rest } = own;
  const place = address === "" ? {} : { address, port };
  const view: NodeView = { ...rest, ...place, state: "alive", reason: "", self: true };
  ownViews.set(own, view);
  return view;
}

/** Another node; `member`: as its peers hear it. */
export function viewNode(
  record: NodeRecord,
  member: Member | undefined,
  witness: Witness,
): NodeView {
  const { state, reason } = judgeNode(member, witness);
  const view: { -readonly [Name in keyof NodeView]: NodeView[Name] } = {
    ...record,
    state,
    reason,
    self: false,
  };
  if (witness.lease !== undefined) view.lease = witness.lease;
  if (member === undefined) return view;
  view.silentMs = member.silentMs;
  if (member.rttMs !== undefined) view.rttMs = member.rttMs;
  if (member.skewMs !== undefined) view.skewMs = member.skewMs;
  return view;
}
