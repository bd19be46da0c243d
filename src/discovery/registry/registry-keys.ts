// SPDX-License-Identifier: Apache-2.0
// Where the registry lies in the store, and in what form. Members are those who announce; each has one lease.
import { AgentRecord } from "@fairlead/protocol/agent.ts";
import { z } from "zod";

/** Everything of the registry is below this. */
export const REGISTRY_PREFIX = "discovery/";
const MEMBERS = `${REGISTRY_PREFIX}members/`;
const AGENTS = `${REGISTRY_PREFIX}agents/`;

/** What stands under a member's key. */
export const RegistryMember = z.object({ name: z.string(), lease: z.string() });
/** What stands under an agent's key. */
export const RegistryEntry = z.object({ by: z.string(), record: AgentRecord });

export type RegistryKey =
  | { readonly kind: "member"; readonly member: string }
  | { readonly kind: "agent" }
  | { readonly kind: "other" };

/** Key of a member. */
export function keyOfMember(member: string): string {
  return MEMBERS + member;
}

/** Key of an agent: its id, which is another form where it has letters that no key may have. */
export function keyOfAgent(id: string): string {
  return AGENTS + (/^[\w.:-]+$/.test(id) ? id : `~${Buffer.from(id).toString("base64url")}`);
}

/** What a key below the prefix is about. */
export function readRegistryKey(key: string): RegistryKey {
  if (key.startsWith(MEMBERS)) return { kind: "member", member: key.slice(MEMBERS.length) };
  return key.startsWith(AGENTS) ? { kind: "agent" } : { kind: "other" };
}
