// SPDX-License-Identifier: Apache-2.0
// Users of one node's API: kept in its own store, held in memory, so that asking who somebody is waits for nothing.
import { USER_TOKEN_TTL_MS, USER_TOKENS_MAX, USERS_MAX } from "@fairlead/protocol/access.ts";
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import type { AskedBy } from "#control/topologies.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import type { Access } from "./access.ts";
import {
  isToken,
  makeToken,
  readTokenId,
  UserRecord,
  viewToken,
  viewUser,
} from "./user-records.ts";

const USERS = "users/";

export interface AccessOptions {
  readonly store: Pick<Store, "list" | "transact">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Pick<Clock, "nowMs">;
}

type Act = Pick<PlannedAction, "act" | "title" | "inputs"> & { readonly rule: string };

/** Reads who there is. What in the store is no user is left where it is, and lets nobody in. */
async function readUsers(store: AccessOptions["store"]): Promise<Map<string, UserRecord>> {
  const { entries } = await store.list(USERS);
  const records = entries.flatMap(({ value }) => UserRecord.safeParse(value).data ?? []);
  return new Map(records.map((record) => [record.name, record]));
}

/** Opens it with the users that the store has. */
export async function openAccess(options: AccessOptions): Promise<Access> {
  const { store, decisions, clock } = options;
  const users = await readUsers(store);
  const owners = new Map<string, string>();
  for (const { name, tokens } of users.values()) for (const { id } of tokens) owners.set(id, name);
  // One change after the other: each is made from what the one before it left.
  let last: Promise<unknown> = Promise.resolve();

  function need(name: string): UserRecord {
    const found = users.get(name);
    if (found !== undefined) return found;
    const nearest = findNearest(name, [...users.keys()]);
    throw new FairleadError(controlErrors["no-such-user"], `there is no user ${name}`, {
      remedy: nearest === undefined ? "see `fairlead user ls`" : `did you mean ${nearest}?`,
    });
  }

  function refuseMore(what: string, most: number): never {
    throw new FairleadError(controlErrors["too-many-users"], `there are ${most} ${what} already`);
  }

  /** Keeps a user as they are to be from now on; undefined removes them. */
  async function keep(name: string, record: UserRecord | undefined): Promise<void> {
    const key = USERS + name;
    await store.transact([
      record === undefined ? { kind: "delete", key } : { kind: "put", key, value: record },
    ]);
    for (const { id } of users.get(name)?.tokens ?? []) owners.delete(id);
    if (record === undefined) return void users.delete(name);
    users.set(name, record);
    for (const { id } of record.tokens) owners.set(id, name);
  }

  async function change<T>(
    name: string,
    by: AskedBy,
    plan: () => { act: Act; record: UserRecord | undefined; answer: T; result: string },
  ): Promise<T> {
    const { act, record, answer, result } = plan();
    const { rule, ...rest } = act;
    const object = `user/${name}`;
    const detail = `asked by ${by.actor}`;
    const trigger = { kind: "person", detail, atMs: clock.nowMs() } as const;
    const decision = await decisions.begin(
      { ...rest, object, key: object, trigger, rule: { text: rule }, notDone: [] },
      { scope: "", ...by },
    );
    try {
      await keep(name, record);
    } catch (thrown) {
      const error = FairleadError.from(thrown);
      await decisions.finish(decision, { outcome: "failed", result: error.message });
      throw error;
    }
    await decisions.finish(decision, { outcome: "done", result });
    return answer;
  }

  function queue<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work, work);
    last = done.catch(() => undefined);
    return done;
  }

  return {
    find(token) {
      const id = readTokenId(token);
      const record = id === undefined ? undefined : users.get(owners.get(id) ?? "");
      const kept = record?.tokens.find((one) => one.id === id);
      if (record === undefined || kept === undefined || !isToken(token, kept)) return undefined;
      return kept.expiresAtMs > clock.nowMs()
        ? { user: record.name, role: record.role }
        : undefined;
    },
    roleOf: (user) => users.get(user)?.role,
    list: () =>
      [...users.values()]
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map((record) => viewUser(record, clock.nowMs())),
    setUser: (name, { role }, by) =>
      queue(() =>
        change(name, by, () => {
          const before = users.get(name);
          if (before === undefined && users.size >= USERS_MAX) refuseMore("users", USERS_MAX);
          const nowMs = clock.nowMs();
          const made = { name, createdAtMs: nowMs, createdBy: by.actor, tokens: [] };
          const record: UserRecord = { ...(before ?? made), role };
          const title = before === undefined ? `let ${name} in as ${role}` : `made ${name} ${role}`;
          return {
            act: {
              act: "user.set",
              title,
              inputs: { role, before: before?.role ?? "" },
              rule: "an admin says who may what",
            },
            record,
            answer: viewUser(record, nowMs),
            result: "kept in the node's store",
          };
        }),
      ),
    removeUser: (name, by) =>
      queue(() =>
        change(name, by, () => ({
          act: {
            act: "user.remove",
            title: `let ${name} in no more`,
            inputs: { tokens: need(name).tokens.length },
            rule: "tokens and sessions end with their user",
          },
          record: undefined,
          answer: undefined,
          result: "tokens and sessions of theirs open nothing any more",
        })),
      ),
    createToken: (name, { ttlMs = USER_TOKEN_TTL_MS.default }, by) =>
      queue(() =>
        change(name, by, () => {
          const before = need(name);
          const nowMs = clock.nowMs();
          const valid = before.tokens.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
          if (valid.length >= USER_TOKENS_MAX) refuseMore(`tokens of ${name}`, USER_TOKENS_MAX);
          const about = { createdAtMs: nowMs, expiresAtMs: nowMs + ttlMs, createdBy: by.actor };
          const { text, kept } = makeToken(about);
          const record = { ...before, tokens: [...valid, kept] };
          const user = viewUser(record, nowMs);
          return {
            act: {
              act: "user.token",
              title: `made a token for ${name}`,
              inputs: { token: kept.id, ttlMs },
              rule: `for ${formatDuration(ttlMs)}, with what ${name} may`,
            },
            record,
            answer: { user, view: viewToken(kept, nowMs), text },
            result: "kept as a hash",
          };
        }),
      ),
    revokeToken: (name, id, by) =>
      queue(() =>
        change(name, by, () => {
          const before = need(name);
          const tokens = before.tokens.filter((token) => token.id !== id);
          if (tokens.length === before.tokens.length)
            throw new FairleadError(controlErrors["no-such-user"], `${name} has no token ${id}`);
          const record = { ...before, tokens };
          return {
            act: {
              act: "user.revoke",
              title: `took a token of ${name} back`,
              inputs: { token: id },
              rule: "a token that was taken back opens nothing",
            },
            record,
            answer: viewUser(record, clock.nowMs()),
            result: "it opens nothing any more",
          };
        }),
      ),
  };
}
