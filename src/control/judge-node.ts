// SPDX-License-Identifier: Apache-2.0
// What two witnesses say of a node: the datagrams of its peers, and its lease in the store. Pure.
import type { NodeState } from "@fairlead/protocol/node.ts";
import { formatDuration } from "#base/duration.ts";
import type { Member } from "#membership/membership.ts";

/** What is known of a node besides what its peers hear. */
export interface Witness {
  /** Whether its lease lives; undefined while the store does not answer. */
  readonly lease: boolean | undefined;
  /** Whether the node that judges hears nobody at all. */
  readonly isolated: boolean;
}

/** A state, and why in one sentence; the sentence is empty where there is nothing to say. */
export interface Judgement {
  readonly state: NodeState;
  readonly reason: string;
}

/** Nobody is gone while one of the two witnesses sees it, or while it may be the judge who is cut off. */
export function judgeNode(member: Member | undefined, { lease, isolated }: Witness): Judgement {
  if (member === undefined)
    return lease === true
      ? { state: "suspect", reason: "has not been asked yet" }
      : { state: "gone", reason: "was not here since this node started" };
  if (member.state === "alive")
    return { state: "alive", reason: member.direct ? "" : "heard by others, not by this node" };
  const silent = `silent for ${formatDuration(Math.round(member.silentMs / 100) * 100)}`;
  switch (member.state) {
    case "left":
      return { state: "left", reason: "said that it leaves" };
    case "suspect":
      return { state: "suspect", reason: silent };
    case "gone":
      if (lease === true)
        return { state: "suspect", reason: `${silent}, but its lease in the store lives` };
      if (lease === undefined && isolated)
        return { state: "suspect", reason: `${silent}, but this node hears nobody and no store` };
      return { state: "gone", reason: silent };
  }
}
