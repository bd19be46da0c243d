// SPDX-License-Identifier: Apache-2.0
// Users in memory, as a store's entries say; what of them is no user lets nobody in.
import type { CommonBook } from "#control/fleet/common-shelf.ts";
import { UserRecord } from "./user-records.ts";

/** Before the name of a user. */
export const USERS = "users/";

export interface UserBook extends CommonBook {
  readonly users: ReadonlyMap<string, UserRecord>;
  /** Names by the id of a token. */
  readonly owners: ReadonlyMap<string, string>;
}

/** An empty one. */
export function createUserBook(): UserBook {
  const users = new Map<string, UserRecord>();
  const owners = new Map<string, string>();
  return {
    users,
    owners,
    take({ key, value }) {
      if (!key.startsWith(USERS)) return false;
      const name = key.slice(USERS.length);
      for (const { id } of users.get(name)?.tokens ?? []) owners.delete(id);
      const record = UserRecord.safeParse(value).data;
      if (record === undefined) return users.delete(name);
      users.set(name, record);
      for (const { id } of record.tokens) owners.set(id, name);
      return true;
    },
    clear() {
      users.clear();
      owners.clear();
    },
  };
}
