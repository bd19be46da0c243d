// SPDX-License-Identifier: Apache-2.0
import type { Role, UserView } from "@fairlead/protocol/access.ts";
import type { Access } from "#control/access/access.ts";

/** Users by name with their roles; the token of `ana` is `token-of-ana`. A test may change the map. */
export function createFakeAccess(
  users: Map<string, Role>,
  note: (name: string, ...args: readonly unknown[]) => void,
): Access {
  const view = (name: string): UserView => {
    const role = users.get(name) ?? "viewer";
    return { name, role, createdAtMs: 0, createdBy: "unix socket", tokens: [] };
  };
  return {
    find(token) {
      const user = /^token-of-(.+)$/.exec(token)?.[1] ?? "";
      const role = users.get(user);
      return role === undefined ? undefined : { user, role };
    },
    roleOf: (user) => users.get(user),
    list: () => [...users.keys()].map(view),
    async setUser(name, request, by) {
      note("setUser", name, request, by);
      users.set(name, request.role);
      return view(name);
    },
    async removeUser(name, by) {
      note("removeUser", name, by);
      users.delete(name);
    },
    async createToken(name, request, by) {
      note("createUserToken", name, request, by);
      const about = { id: "1", createdAtMs: 0, expiresAtMs: 1, createdBy: by.actor };
      return { user: view(name), view: { ...about, expired: false }, text: `token-of-${name}` };
    },
    async revokeToken(name, id, by) {
      note("revokeUserToken", name, id, by);
      return view(name);
    },
  };
}
