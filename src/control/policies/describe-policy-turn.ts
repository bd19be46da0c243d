// SPDX-License-Identifier: Apache-2.0
// What was done about policies, as decisions say it.
import type { PlannedAction } from "#model/action.ts";
import type { ActionKind } from "#model/decision.ts";

/** Names that a decision lists; the count says how many there are. */
const LISTED_MAX = 20;

/** What became of the instances of one scope in one pass. */
export interface PolicyTurn {
  readonly scope: string;
  readonly act: Extract<ActionKind, "policy.enforce" | "policy.repair" | "policy.release">;
  readonly mode: "watch" | "enforce";
  /** Names of the instances. */
  readonly instances: readonly string[];
  readonly policies: number;
  readonly nowMs: number;
}

const WORDS = {
  "policy.enforce": { verb: "enforced policy on", detail: "what policies come to has changed" },
  "policy.repair": {
    verb: "repaired policy of",
    detail: "rules were not as this node had made them",
  },
  "policy.release": { verb: "took policy off", detail: "no policy selects them any more" },
} as const;

/** Where no policy is about them, and policies are about others on networks without a bridge. */
const HELD = "held to their own addresses";

/** The decision about one pass over a scope. */
export function describePolicyTurn(turn: PolicyTurn): PlannedAction {
  const { scope, act, mode, instances, policies, nowMs } = turn;
  const { verb, detail } = WORDS[act];
  const kind = mode === "watch" ? "watched by policy" : policies > 0 ? verb : HELD;
  const said = act === "policy.enforce" ? kind : verb;
  const what = instances.length === 1 ? "1 instance" : `${instances.length} instances`;
  return {
    key: `policy/${scope}`,
    act,
    object: `policy/${scope}`,
    title: `${said} ${what}`,
    trigger: { kind: act === "policy.repair" ? "missing" : "change", detail, atMs: nowMs },
    rule: { text: `policy ${mode}` },
    inputs: {
      instances: instances.slice(0, LISTED_MAX).join(" "),
      policies,
    },
    notDone: [],
  };
}

/** The decision about what stands on the host, at the ports of all who are on these networks. */
export function describeHostRepair(networks: readonly string[], nowMs: number): PlannedAction {
  const detail = "packet rules on the bridges were not as this node had made them";
  return {
    key: "policy-host",
    act: "policy.repair",
    object: "bridge fairlead",
    title: "repaired policy on this host's bridges",
    trigger: { kind: "missing", detail, atMs: nowMs },
    rule: { text: "policy enforce" },
    inputs: { networks: networks.slice(0, LISTED_MAX).join(" ") },
    notDone: [],
  };
}

/** That a person declared or removed policies. */
export function describePolicyChange(
  act: "policy.apply" | "policy.remove",
  scope: string,
  names: readonly string[],
  { actor, nowMs }: { readonly actor: string; readonly nowMs: number },
): PlannedAction {
  const done = act === "policy.apply" ? "declared" : "removed";
  return {
    key: `policy/${scope}`,
    act,
    object: `policy/${scope}`,
    title: `${done} ${names.slice(0, LISTED_MAX).join(", ")}`,
    trigger: { kind: "person", detail: `${actor} ${done} policy`, atMs: nowMs },
    rule: { text: "who is isolated by a policy may do what policies allow" },
    inputs: { policies: names.length },
    notDone: [],
  };
}
