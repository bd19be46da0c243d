// SPDX-License-Identifier: Apache-2.0
// Rights as a store keeps them: a set of policies is an entry, and so is each yes of a person, until it is over.
import { createHash } from "node:crypto";
import { RightsQuestion, RightsRequest } from "@fairlead/protocol/rights.ts";
import { z } from "zod";
import type { Logger } from "#base/logger.ts";
import type { CommonBook } from "#control/fleet/common-shelf.ts";
import { nameQuestion } from "./describe-rights.ts";

/** Both kinds of entries begin so. */
export const RIGHTS_PREFIX = "rights";
const SETS = "rights/";
const GRANTS = "rights-grants/";

/** A set of policies. */
export const RightsRecord = z.strictObject({
  scope: RightsRequest.shape.scope,
  name: RightsRequest.shape.name,
  text: z.string(),
});
export type RightsRecord = z.infer<typeof RightsRecord>;

/** A person's yes. */
export const GrantRecord = z.strictObject({ ...RightsQuestion.shape, untilMs: z.number() });
export type GrantRecord = z.infer<typeof GrantRecord>;

/** `rights/SCOPE/NAME` */
export function keyOfSet({ scope, name }: Pick<RightsRecord, "scope" | "name">): string {
  return `${SETS}${scope}/${name}`;
}

/** `rights-grants/SCOPE/HASH`: what agents may be asked for is text of any kind. */
export function keyOfGrant(question: RightsQuestion): string {
  const hash = createHash("sha256").update(nameQuestion(question)).digest("hex").slice(0, 32);
  return `${GRANTS}${question.scope}/${hash}`;
}

/** Whether an entry is a set: they stay whatever happens to a store, a yes does not. */
export function isSet(key: string): boolean {
  return key.startsWith(SETS);
}

export interface RightsBook extends CommonBook {
  /** By scope and name. */
  listSets(): readonly RightsRecord[];
  /** Sets that cannot be read, without their text. */
  listBroken(): readonly RightsRecord[];
  /** When a person's yes to exactly this ends; 0 when there is none. */
  grantedUntilMs(question: RightsQuestion): number;
  listGrants(): readonly (readonly [key: string, grant: GrantRecord])[];
}

/** An empty one. */
export function createRightsBook(logger: Logger): RightsBook {
  const sets = new Map<string, RightsRecord>();
  const grants = new Map<string, GrantRecord>();
  const unread = new Map<string, RightsRecord>();

  function takeSet(key: string, value: unknown): boolean {
    const [, scope = "", name = ""] = key.split("/");
    const wasUnread = unread.delete(key);
    if (value === undefined) return sets.delete(key) || wasUnread;
    const record = RightsRecord.safeParse(value).data;
    if (record === undefined) {
      logger.error("rights of the store cannot be read; nothing passes in their scope", { scope });
      unread.set(key, { scope, name, text: "" });
      sets.delete(key);
      return true;
    }
    const before = sets.get(key);
    sets.set(key, record);
    return wasUnread || before?.text !== record.text;
  }

  return {
    take({ key, value }) {
      if (isSet(key)) return takeSet(key, value);
      if (!key.startsWith(GRANTS)) return false;
      const grant = GrantRecord.safeParse(value).data;
      if (grant === undefined) return grants.delete(key);
      grants.set(key, grant);
      return true;
    },
    clear() {
      for (const map of [sets, grants, unread]) map.clear();
    },
    listSets: () =>
      [...sets].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, record]) => record),
    listBroken: () => [...unread.values()],
    grantedUntilMs: (question) => grants.get(keyOfGrant(question))?.untilMs ?? 0,
    listGrants: () => [...grants],
  };
}
