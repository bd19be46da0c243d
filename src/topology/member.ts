// SPDX-License-Identifier: Apache-2.0
// Who takes part in a topology.
import { AgentName } from "@fairlead/protocol/agent.ts";
import type { AgentRecord, Locality } from "@fairlead/protocol/agent.ts";
import type { MemberSelector } from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import { topologyErrors } from "./errors.ts";

/** A member of a topology: one name, however many instances it has. */
export interface Member {
  readonly name: string;
  readonly locality: Locality;
  /** When the first of its instances joined. */
  readonly joinedAtMs: number;
}

/** Below 0 when the first name sorts before the second. Not by language: the same on every host. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Below 0 when the first member joined earlier; the name decides between equals. */
export function compareAge(a: Member, b: Member): number {
  return a.joinedAtMs - b.joinedAtMs || compareNames(a.name, b.name);
}

/** Members sorted by name. Throws `duplicate-member` and `bad-member-name`. */
export function sortMembers(members: readonly Member[]): readonly Member[] {
  const sorted = members.toSorted((a, b) => compareNames(a.name, b.name));
  for (const [i, { name }] of sorted.entries()) {
    if (!AgentName.safeParse(name).success)
      throw new FairleadError(topologyErrors["bad-member-name"], `${name} is no name of a member`);
    if (sorted[i + 1]?.name === name)
      throw new FairleadError(topologyErrors["duplicate-member"], `${name} is there twice`);
  }
  return sorted;
}

/** The preferred member when it is there, otherwise the present one, otherwise the one that joined first. */
export function electHub(
  members: readonly Member[],
  preferred: string | undefined,
  present?: string,
): string | undefined {
  for (const name of [preferred, present]) {
    if (name !== undefined && members.some((member) => member.name === name)) return name;
  }
  return members.toSorted(compareAge)[0]?.name;
}

/** Whether a name fits a pattern in which `*` stands for any letters. Linear, whatever the pattern. */
function fitsPattern(name: string, pattern: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return name === pattern;
  if (!name.startsWith(head)) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - tail.length >= at && name.endsWith(tail);
}

/** Whether the selector takes the agent. */
export function isSelected(
  selector: MemberSelector,
  agent: Pick<AgentRecord, "name" | "skills" | "tags">,
): boolean {
  const { names, skills = [], tags = {} } = selector;
  return (
    (names === undefined || names.some((pattern) => fitsPattern(agent.name, pattern))) &&
    skills.every((skill) => agent.skills.includes(skill)) &&
    Object.entries(tags).every(([key, value]) => agent.tags[key] === value)
  );
}

/** The members among the agents of a scope, by name. Agents of one name are one member, the oldest speaks for them. */
export function selectMembers(
  selector: MemberSelector,
  agents: readonly Pick<AgentRecord, "name" | "skills" | "tags" | "locality" | "joinedAtMs">[],
): readonly Member[] {
  const byName = new Map<string, Member>();
  for (const agent of agents) {
    if (!isSelected(selector, agent)) continue;
    const { name, locality, joinedAtMs } = agent;
    const other = byName.get(name);
    if (other === undefined || joinedAtMs < other.joinedAtMs)
      byName.set(name, { name, locality, joinedAtMs });
  }
  return sortMembers([...byName.values()]);
}
