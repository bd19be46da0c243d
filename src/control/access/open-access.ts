// SPDX-License-Identifier: Apache-2.0
// Users of a node's API, or of all nodes of a fleet: kept in a store, held in memory, so that asking who somebody is waits for
// nothing.
import { USER_TOKEN_TTL_MS, USER_TOKENS_MAX, USERS_MAX } from "@fairlead/protocol/access.ts";
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { findNearest } from "#base/nearest.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import { createCommonShelf } from "#control/fleet/common-shelf.ts";
import type { AskedBy } from "#control/topologies.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import type { Access } from "./access.ts";
import { createUserBook, USERS } from "./user-book.ts";
import {
  isToken,
  makeToken,
  readTokenId,
  viewToken,
  viewUser,
  type UserRecord,
} from "./user-records.ts";

export interface AccessOptions {
  /** Opens the store that keeps them: the fleet's, where there is one. */
  readonly openStore: () => Promise<Store>;
  /** In a fleet the node's own store, for a copy. */
  readonly own: Store | undefined;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Act = Pick<PlannedAction, "act" | "title" | "inputs"> & { readonly rule: string };

/** What a change makes of a user; `record` undefined removes them. */
interface Plan<T> {
  readonly act: Act;
  readonly record: UserRecord | undefined;
  readonly answer: T;
  readonly result: string;
}

/** How often a write is tried again because another node wrote in between. */
const TRIES = 20;

/** Opens it with the users that are known. */
export async function openAccess(
  options: AccessOptions,
): Promise<Access & { run(signal: AbortSignal): Promise<void> }> {
  const { openStore, own, decisions, clock, logger } = options;
  const book = createUserBook();
  const { users, owners } = book;
  const shelf = createCommonShelf({
    what: "users",
    prefix: USERS,
    isLasting: () => true,
    book,
    openStore,
    own,
    clock,
    logger,
  });
  await shelf.read();
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

  /** Keeps what `plan` makes of what stands now, whoever wrote it. */
  async function keep<T>(name: string, plan: () => Plan<T>): Promise<Plan<T>> {
    const key = USERS + name;
    let planned: Plan<T> | undefined;
    await shelf.change(async (to) => {
      for (let tries = 0; tries < TRIES; tries++) {
        const entry = await to.get(key);
        book.take({ key, value: entry?.value });
        const { record } = (planned = plan());
        const put = { kind: "put", key, value: record } as const;
        const operation = record === undefined ? ({ kind: "delete", key } as const) : put;
        const conditions = [{ key, revision: entry?.revision ?? 0 }];
        if ((await to.transact([operation], conditions)) !== undefined) return;
      }
      throw new FairleadError(controlErrors["act-failed"], `others keep changing ${name}`);
    });
    return planned ?? plan();
  }

  async function change<T>(name: string, by: AskedBy, plan: () => Plan<T>): Promise<T> {
    const { rule, ...rest } = plan().act;
    const object = `user/${name}`;
    const detail = `asked by ${by.actor}`;
    const trigger = { kind: "person", detail, atMs: clock.nowMs() } as const;
    const decision = await decisions.begin(
      { ...rest, object, key: object, trigger, rule: { text: rule }, notDone: [] },
      { scope: "", ...by },
    );
    try {
      const { answer, result } = await keep(name, plan);
      await decisions.finish(decision, { outcome: "done", result });
      return answer;
    } catch (thrown) {
      const error = FairleadError.from(thrown);
      await decisions.finish(decision, { outcome: "failed", result: error.message });
      throw error;
    }
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
            result: own === undefined ? "kept in the node's store" : "kept in the fleet's store",
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
      queue(() => {
        const createdAtMs = clock.nowMs();
        const expiresAtMs = createdAtMs + ttlMs;
        const { text, kept } = makeToken({ createdAtMs, expiresAtMs, createdBy: by.actor });
        return change(name, by, () => {
          const before = need(name);
          const nowMs = clock.nowMs();
          const valid = before.tokens.filter((token) => token.expiresAtMs > nowMs);
          if (valid.length >= USER_TOKENS_MAX) refuseMore(`tokens of ${name}`, USER_TOKENS_MAX);
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
        });
      }),
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
    run: (signal) => shelf.run(signal),
  };
}
