// SPDX-License-Identifier: Apache-2.0
// What a node has to do about one scope, out of what the fleet wants and what it does already. Pure.
import type { Assignment, FleetIntent } from "@fairlead/protocol/assignment.ts";
import { isSameJson } from "#base/canonical-json.ts";
import { narrowIntent } from "#brain/fleet/narrow-intent.ts";
import type { Asked, Desired } from "#control/scope-loop.ts";
import { makeEmptyIntent } from "#model/empty-intent.ts";

/** What the fleet's store says of a scope, and which content of that store it is. */
export interface FleetWord {
  readonly scope: string;
  readonly self: string;
  /** Of the fleet. */
  readonly name: string;
  readonly identity: string;
  readonly wanted: FleetIntent | undefined;
  /** Whether something is wanted that this version cannot read. */
  readonly isUnread?: boolean;
  /** 0 when nothing is wanted. */
  readonly generation: number;
  readonly assignment: Assignment | undefined;
  /** Whether its volumes were to go too, while this node was away. */
  readonly owesVolumes?: boolean;
  /** Whether this node has volumes of the scope; undefined until its engine has said it. */
  readonly hasVolumes?: boolean | undefined;
}

/**
 * `keep`: nothing is to be written. `unread`: likewise, as it is not known what is wanted. `wait`: nothing yet, as it was not said yet what is wanted here. `restore`: the fleet's store has lost what it wanted, and this node knows it. `put`: a
 * new state; `isNews` when somebody has asked for something since.
 */
export type Choice =
  | { readonly kind: "keep" }
  | { readonly kind: "unread" }
  | { readonly kind: "wait" }
  | { readonly kind: "restore" }
  | { readonly kind: "put"; readonly desired: Desired; readonly isNews: boolean };

const UNWANTED = "the fleet does not want it any more";
const KEEP: Choice = { kind: "keep" };

function readAsked({ actor, plan, reason }: FleetIntent): Asked {
  return {
    actor,
    ...(plan === undefined ? {} : { plan }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function remove(local: Desired, because: string, volumes = false): Choice {
  const { intent, fleet, removal: begun } = local;
  if (begun !== undefined && (begun.volumes || !volumes)) return KEEP;
  const removal = { volumes, because };
  const desired = { intent, removal, ...(fleet && { fleet }), actor: "automatic" };
  return { kind: "put", desired, isNews: false };
}

/** What is left of a scope that this node has no more, and that is to go with its volumes: these. */
function removeLeft(
  local: Desired | undefined,
  { scope, hasVolumes }: FleetWord,
  desired: Omit<Desired, "intent">,
): Choice {
  if (local !== undefined || hasVolumes === false) return KEEP;
  if (hasVolumes === undefined) return { kind: "wait" };
  return { kind: "put", desired: { intent: makeEmptyIntent(scope), ...desired }, isNews: false };
}

/** Chooses. A scope that this node has by itself is left alone, unless the fleet places something of it here. */
export function chooseDesired(local: Desired | undefined, word: FleetWord): Choice {
  const { wanted, generation, assignment, self, name, identity } = word;
  // What another fleet wanted, to which this node belonged, is its own now.
  const own = local?.fleet?.name === name ? local : undefined;
  const fleet = { name, identity, generation };
  // Nobody said that it is not wanted any more.
  if (word.isUnread === true) return { kind: "unread" };
  if (wanted === undefined) {
    if (own === undefined) {
      if (word.owesVolumes !== true) return KEEP;
      const removal = { volumes: true, because: UNWANTED };
      return removeLeft(local, word, { removal, fleet, actor: "automatic" });
    }
    if (own.fleet?.identity === identity) return remove(own, UNWANTED, word.owesVolumes);
    return own.removal === undefined ? { kind: "restore" } : KEEP;
  }
  if (wanted.removal !== undefined) {
    const { removal } = wanted;
    if (own === undefined)
      return removal.volumes
        ? removeLeft(local, word, { removal, fleet, ...readAsked(wanted) })
        : KEEP;
    if (own.removal?.volumes === removal.volumes && own.fleet?.generation === generation)
      return KEEP;
    const desired = { intent: own.intent, removal, fleet, ...readAsked(wanted) };
    return { kind: "put", desired, isNews: false };
  }
  if (assignment?.generation !== generation) return own === undefined ? KEEP : { kind: "wait" };
  const intent = narrowIntent(wanted.intent, assignment, self);
  if (intent === undefined)
    return own === undefined ? KEEP : remove(own, "its instances stand on other nodes");
  const isNews = own?.fleet?.generation !== generation || own.fleet.identity !== identity;
  const isSame = !isNews && own?.removal === undefined && isSameJson(own?.intent, intent);
  if (isSame) return KEEP;
  return {
    kind: "put",
    desired: { intent, removal: undefined, fleet, ...readAsked(wanted) },
    isNews,
  };
}
