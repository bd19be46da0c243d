// SPDX-License-Identifier: Apache-2.0
// Policies as a store keeps them: one entry a scope, so that a change of a scope is seen whole or not at all.
import { ScopePolicies, type PolicyRequest } from "@fairlead/protocol/policy.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import type { Store, StoreChange, StoreOperation } from "#store/store.ts";

/** Before the name of a scope. */
export const POLICY_PREFIX = "policy/";
/** How often a write is tried again because somebody else wrote in between. */
const TRIES = 20;

/** What is declared, by scope. */
export interface PolicyBook {
  readonly scopes: ReadonlyMap<string, ScopePolicies>;
  /** Takes an entry as it was read; true when anything is different now. */
  take(change: Pick<StoreChange, "key" | "value">): boolean;
  clear(): void;
}

/** An empty book. What cannot be read is told to the logger, and what was known before stays. */
export function createPolicyBook(logger: Logger): PolicyBook {
  const scopes = new Map<string, ScopePolicies>();
  return {
    scopes,
    take({ key, value }) {
      const scope = key.slice(POLICY_PREFIX.length);
      if (value === undefined) return scopes.delete(scope);
      const parsed = ScopePolicies.safeParse(value).data;
      if (parsed === undefined) {
        logger.error("policies of the store cannot be read", { scope });
        return false;
      }
      if (JSON.stringify(scopes.get(scope)) === JSON.stringify(parsed)) return false;
      scopes.set(scope, parsed);
      return true;
    },
    clear: () => scopes.clear(),
  };
}

const none = (scope: string): ScopePolicies => ({
  scope,
  mode: "enforce",
  labels: {},
  policies: [],
});

/** Which scopes a request is about. */
export function namesOf({ policies, scopes, modes }: PolicyRequest): readonly string[] {
  const named = [...Object.keys(scopes), ...Object.keys(modes)];
  return [...new Set([...policies.map(({ scope }) => scope), ...named])].toSorted();
}

/** A scope's entry with what a request says of it. */
function mergeRequest(before: ScopePolicies, request: PolicyRequest): ScopePolicies {
  const news = request.policies.filter(({ scope }) => scope === before.scope);
  const names = new Set(news.map(({ name }) => name));
  const kept = before.policies.filter(({ name }) => !names.has(name));
  return {
    ...before,
    mode: request.modes[before.scope] ?? before.mode,
    labels: { ...(request.scopes[before.scope] ?? before.labels) },
    policies: [...kept, ...news].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Writes entries as `change` makes them out of what stands, all or none. Throws FL0751 `policy-store`. */
async function rewrite(
  store: Store,
  names: readonly string[],
  change: (before: ScopePolicies) => ScopePolicies | undefined,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await Promise.all(names.map((name) => store.get(POLICY_PREFIX + name)));
    const operations = names.map((name, index): StoreOperation => {
      const key = POLICY_PREFIX + name;
      const value = change(ScopePolicies.safeParse(found[index]?.value).data ?? none(name));
      return value === undefined ? { kind: "delete", key } : { kind: "put", key, value };
    });
    const conditions = names.map((name, index) => ({
      key: POLICY_PREFIX + name,
      revision: found[index]?.revision ?? 0,
    }));
    if ((await store.transact(operations, conditions)) !== undefined) return;
  }
  throw new FairleadError(controlErrors["policy-store"], "others keep writing the same policies");
}

/** Keeps what a request says. */
export function writeRequest(store: Store, request: PolicyRequest): Promise<void> {
  return rewrite(store, namesOf(request), (before) => mergeRequest(before, request));
}

/** Forgets one policy, and the scope's entry with its last one. Throws FL0750 `no-policy`. */
export function removePolicy(store: Store, scope: string, name: string): Promise<void> {
  return rewrite(store, [scope], (before) => {
    const policies = before.policies.filter((policy) => policy.name !== name);
    if (policies.length === before.policies.length)
      throw new FairleadError(controlErrors["no-policy"], `there is no policy ${scope}/${name}`);
    const isLast = policies.length === 0 && Object.keys(before.labels).length === 0;
    return isLast ? undefined : { ...before, policies };
  });
}
