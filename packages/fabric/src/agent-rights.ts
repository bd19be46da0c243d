// SPDX-License-Identifier: Apache-2.0
// Whether agents may do with each other what they ask of the node: calls, and messages that are sent or kept.
import type { Conversation } from "./conversation.ts";
import type { FabricError } from "./errors.ts";

/** One agent that wants something; who it is was proven before. */
export interface AgentAsk {
  readonly scope: string;
  readonly caller: string;
  readonly action: "call" | "publish" | "subscribe";
  /** Name of an agent; else a subject, or the pattern of a subscription. */
  readonly target: string;
  /** Of a call; else empty. */
  readonly method: string;
}

/** What agents may do. Answers wait for nothing. */
export interface AgentRights {
  /** Agents of such a scope are told no addresses: what they say to each other goes through their nodes. */
  governs(scope: string): boolean;
  /** Counts it, and throws `permission_denied` when it may not be. */
  check(ask: AgentAsk): void;
  /** Why what was let through before may not go on; counts nothing. */
  recheck(ask: AgentAsk): FabricError | undefined;
  /** Whether a policy forbids it, whatever others permit; counts nothing. */
  forbids(ask: AgentAsk): boolean;
}

/** The method by which agents send each other messages that nobody keeps. */
const EMIT = "$emit";

/** Name of an agent, from its name or its id. */
function nameOf(agent: string): string {
  return agent.split(".", 1)[0] ?? agent;
}

/**
 * Checks a conversation that is passed on, for the next agent and for the last one of its way. A message is the right of
 * both ends: to publish its subject and to subscribe it. Throws `permission_denied`.
 */
export function checkRelayed(
  rights: AgentRights,
  { scope, name: caller }: { readonly scope: string; readonly name: string },
  way: readonly string[],
  { open, headers }: Pick<Conversation, "open" | "headers">,
): void {
  const names = [...new Set(way.map(nameOf))];
  const { method } = open;
  if (method !== EMIT) {
    for (const target of names) rights.check({ scope, caller, action: "call", target, method });
    return;
  }
  const target = headers?.["subject"] ?? "";
  const hearer = names.at(-1) ?? "";
  rights.check({ scope, caller, action: "publish", target, method: "" });
  rights.check({ scope, caller: hearer, action: "subscribe", target, method: "" });
}

/** What the log asks about one subscription. */
export interface HearingRights {
  /** Throws why the subscription may not go on; false when a policy forbids this one subject. */
  mayHear(subject: string): boolean;
}

/** Checks a subscription as it begins, and gives what is asked before each message. Throws `permission_denied`. */
export function checkSubscription(
  rights: AgentRights | undefined,
  { scope, name: caller }: { readonly scope: string; readonly name: string },
  pattern: string,
): HearingRights {
  if (rights === undefined) return { mayHear: () => true };
  const ask = { scope, caller, action: "subscribe", method: "" } as const;
  rights.check({ ...ask, target: pattern });
  return {
    mayHear(subject) {
      if (!rights.governs(scope)) return true;
      const refusal = rights.recheck({ ...ask, target: pattern });
      if (refusal !== undefined) throw refusal;
      return !rights.forbids({ ...ask, target: subject });
    },
  };
}
