// SPDX-License-Identifier: Apache-2.0
// Policies as a store keeps them: one entry a scope, so that a change of a scope is seen whole or not at all. What cannot be read
// never opens a scope: what was known of it stays in force, and where nothing was, nobody may talk to anybody.
import {
  ScopePolicies,
  type NetworkPolicy,
  type PolicyRequest,
} from "@fairlead/protocol/policy.ts";
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
  /** Scopes whose entry cannot be read. `kept`: those policies hold that were known before; `closed`: nobody may do anything. */
  readonly unread: ReadonlyMap<string, "kept" | "closed">;
  /** Takes an entry as it was read; true when anything is different now. */
  take(change: Pick<StoreChange, "key" | "value">): boolean;
  /** Begins a picture anew. What was known stands in for entries of it that cannot be read. */
  clear(): void;
}

/** The policy of a scope of which nothing can be read, and the name by which a person gives that up. */
export const UNREAD_POLICY = "unreadable";

function standIn(scope: string): NetworkPolicy {
  const instances = { labels: {}, requirements: [] };
  return { scope, name: UNREAD_POLICY, instances, at: { file: "store" } };
}

/** Nobody may call anybody, nor be called. */
function closeScope(scope: string): ScopePolicies {
  const all = { ...standIn(scope), ingress: [], egress: [] };
  return { scope, mode: "enforce", labels: {}, policies: [all] };
}

/** What stands in a list for policies that cannot be read, where those hold that were known before; it isolates nobody. */
export function listUnread(unread: PolicyBook["unread"]): readonly NetworkPolicy[] {
  return [...unread].flatMap(([scope, how]) => (how === "kept" ? [standIn(scope)] : []));
}

/** An empty book. What cannot be read is told to the logger too. */
export function createPolicyBook(logger: Logger): PolicyBook {
  const scopes = new Map<string, ScopePolicies>();
  const unread = new Map<string, "kept" | "closed">();
  /** What was read last of each scope, also before the picture was begun anew. */
  const readable = new Map<string, ScopePolicies>();

  function keep(scope: string, policies: ScopePolicies): boolean {
    if (JSON.stringify(scopes.get(scope)) === JSON.stringify(policies)) return false;
    scopes.set(scope, policies);
    return true;
  }

  return {
    scopes,
    unread,
    take({ key, value }) {
      const scope = key.slice(POLICY_PREFIX.length);
      if (value === undefined) {
        readable.delete(scope);
        return [unread.delete(scope), scopes.delete(scope)].includes(true);
      }
      const parsed = ScopePolicies.safeParse(value).data;
      if (parsed !== undefined) {
        readable.set(scope, parsed);
        return [unread.delete(scope), keep(scope, parsed)].includes(true);
      }
      const known = readable.get(scope);
      const isNews = !unread.has(scope);
      unread.set(scope, known === undefined ? "closed" : "kept");
      logger.error("policies of the store cannot be read", { scope, now: unread.get(scope) });
      return [keep(scope, known ?? closeScope(scope)), isNews].includes(true);
    },
    clear() {
      scopes.clear();
      unread.clear();
    },
  };
}

/** Says of which scopes policies cannot be read, and what holds there; undefined when all can. */
export function tellUnread(unread: PolicyBook["unread"]): string | undefined {
  const list = (what: "kept" | "closed"): string =>
    [...unread].flatMap(([scope, how]) => (how === what ? [scope] : [])).join(", ");
  const [kept, closed] = [list("kept"), list("closed")];
  const { id, remedy } = controlErrors["policies-unread"];
  const words = [
    ...(closed === "" ? [] : [`of ${closed}, where nobody may talk to anybody`]),
    ...(kept === "" ? [] : [`of ${kept}, where what was read last stays in force`]),
  ];
  return words.length === 0
    ? undefined
    : `policies cannot be read ${words.join("; ")}: ${remedy} (${id})`;
}

/** An entry as it stands; undefined where there is none. Throws FL0752 `policies-unread`. */
function readEntry(scope: string, value: unknown): ScopePolicies | undefined {
  if (value === undefined) return undefined;
  const { data } = ScopePolicies.safeParse(value);
  if (data !== undefined) return data;
  throw new FairleadError(
    controlErrors["policies-unread"],
    `the policies of ${scope} cannot be read, and are not written over`,
  );
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

/** Writes entries as `change` makes them out of what stands, all or none. Throws FL0751 `policy-store`, FL0752 `policies-unread`. */
async function rewrite(
  store: Store,
  names: readonly string[],
  change: (before: ScopePolicies) => ScopePolicies | undefined,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await Promise.all(names.map((name) => store.get(POLICY_PREFIX + name)));
    const operations = names.map((name, index): StoreOperation => {
      const key = POLICY_PREFIX + name;
      const value = change(readEntry(name, found[index]?.value) ?? none(name));
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

/** Gives up what cannot be read of a scope; false where all can be. */
async function removeUnread(store: Store, scope: string): Promise<boolean> {
  const key = POLICY_PREFIX + scope;
  const found = await store.get(key);
  if (found === undefined || ScopePolicies.safeParse(found.value).success) return false;
  await store.transact([{ kind: "delete", key }], [{ key, revision: found.revision }]);
  return true;
}

/**
 * Forgets one policy, and the scope's entry with its last one; by the name `unreadable` an entry that cannot be read. Throws
 * FL0750 `no-policy`, FL0752 `policies-unread`.
 */
export async function removePolicy(store: Store, scope: string, name: string): Promise<void> {
  if (name === UNREAD_POLICY && (await removeUnread(store, scope))) return;
  return rewrite(store, [scope], (before) => {
    const policies = before.policies.filter((policy) => policy.name !== name);
    if (policies.length === before.policies.length)
      throw new FairleadError(controlErrors["no-policy"], `there is no policy ${scope}/${name}`);
    const isLast = policies.length === 0 && Object.keys(before.labels).length === 0;
    return isLast ? undefined : { ...before, policies };
  });
}
