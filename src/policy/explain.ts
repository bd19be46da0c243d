// SPDX-License-Identifier: Apache-2.0
// Why one may or may not talk to another: policy by policy, with the place in the file that says so. Reads policies as they
// are, not the tables that they were compiled to.
import { parseAddress } from "#base/addresses.ts";
import { matchEgressNames } from "#model/egress-names.ts";
import type { NetworkPolicy, PolicyProtocol, PolicyRule, PolicyStep } from "#model/policy.ts";
import { cutBlock } from "./build-table.ts";
import { resolvePorts } from "./port-sets.ts";
import { matchLabels } from "./select.ts";
import { labelsOfScope, type PolicyInstance, type PolicyWorld } from "./world.ts";

/** An instance, or an address that is none's. */
export type Party =
  | PolicyInstance
  /** With the name by which the other asked for it, where it is known. */
  | { readonly address: string; readonly name?: string };

export interface Conversation {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: PolicyProtocol;
  /** 0 for ICMP. */
  readonly port: number;
}

/** The verdict with what was looked at on the way, the caller's side first. */
export interface Explanation {
  readonly allowed: boolean;
  readonly steps: readonly PolicyStep[];
}

function isInstance(party: Party): party is PolicyInstance {
  return "labels" in party;
}

function addressesOf(party: Party): readonly string[] {
  return isInstance(party) ? party.addresses : [party.address];
}

function isInBlock(address: string, block: string, except: readonly string[]): boolean {
  const parsed = parseAddress(address);
  return cutBlock(block, except).some(
    ({ family, first, last }) =>
      family === parsed?.family && first <= parsed.value && parsed.value <= last,
  );
}

/** Whether it was found by one of the names, or is who tells of them. */
function isNamed({ resolvers = [] }: PolicyWorld, names: readonly string[], other: Party): boolean {
  if (isInstance(other)) return false;
  if (resolvers.includes(other.address)) return true;
  return other.name !== undefined && matchEgressNames(names, other.name).length > 0;
}

function isPeer(
  world: PolicyWorld,
  policy: NetworkPolicy,
  { peers }: PolicyRule,
  other: Party,
): boolean {
  if (peers.length === 0) return true;
  return peers.some((peer) => {
    if (peer.kind === "block")
      return addressesOf(other).some((address) => isInBlock(address, peer.block, peer.except));
    if (peer.kind === "names") return isNamed(world, peer.names, other);
    if (!isInstance(other)) return false;
    const isScope =
      peer.scopes === undefined
        ? other.scope === policy.scope
        : matchLabels(peer.scopes, labelsOfScope(world, other.scope));
    return isScope && matchLabels(peer.instances, other.labels);
  });
}

function isPort({ ports }: PolicyRule, { to, protocol, port }: Conversation): boolean {
  const set = resolvePorts(ports, isInstance(to) ? to.ports : []);
  if (set === "everything") return true;
  return set.some((one) => one.protocol === protocol && one.first <= port && port <= one.last);
}

/** What policies say of one conversation on one side of it. */
export function explainSide(
  policies: readonly NetworkPolicy[],
  world: PolicyWorld,
  conversation: Conversation,
  direction: "ingress" | "egress",
): PolicyStep {
  const { from, to } = conversation;
  const [self, other] = direction === "ingress" ? [to, from] : [from, to];
  if (!isInstance(self)) return { direction, verdict: "allow" };
  const isolating = policies.filter(
    (policy) =>
      policy[direction] !== undefined &&
      policy.scope === self.scope &&
      matchLabels(policy.instances, self.labels),
  );
  for (const policy of isolating)
    for (const rule of policy[direction] ?? [])
      if (isPeer(world, policy, rule, other) && isPort(rule, conversation))
        return {
          direction,
          verdict: "allow",
          policy: `${policy.scope}/${policy.name}`,
          at: rule.at,
        };
  const [first] = isolating;
  if (first === undefined) return { direction, verdict: "allow" };
  return { direction, verdict: "deny", policy: `${first.scope}/${first.name}`, at: first.at };
}

/** What policies say of one conversation; an end that no policy isolates allows it. */
export function explainConversation(
  policies: readonly NetworkPolicy[],
  world: PolicyWorld,
  conversation: Conversation,
): Explanation {
  const steps = [
    explainSide(policies, world, conversation, "egress"),
    explainSide(policies, world, conversation, "ingress"),
  ];
  return { allowed: steps.every(({ verdict }) => verdict === "allow"), steps };
}
