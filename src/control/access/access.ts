// SPDX-License-Identifier: Apache-2.0
// What others may ask about the users of a node's API.
import type {
  CreatedUserToken,
  Role,
  UserRequest,
  UserTokenRequest,
  UserView,
} from "@fairlead/protocol/access.ts";
import type { AskedBy } from "#control/topologies.ts";

/** A user as one of their tokens says. */
export interface Holder {
  readonly user: string;
  readonly role: Role;
}

/** Safe for concurrent use. What changes is a decision, is kept before it holds, and throws what the store throws. */
export interface Access {
  /** Whose token this is; undefined when it is nobody's, is over, or was taken back. */
  find(token: string): Holder | undefined;
  /** What a user may do now; undefined when there is no such user any more. */
  roleOf(user: string): Role | undefined;
  /** By name. */
  list(): readonly UserView[];
  /** Makes a user, or gives one another role. Throws FL0756 `too-many-users`. */
  setUser(name: string, request: UserRequest, by: AskedBy): Promise<UserView>;
  /** Their tokens and sessions end with them. Throws FL0755 `no-such-user`. */
  removeUser(name: string, by: AskedBy): Promise<void>;
  /** Throws FL0755, FL0756. */
  createToken(name: string, request: UserTokenRequest, by: AskedBy): Promise<CreatedUserToken>;
  /** Throws FL0755. */
  revokeToken(name: string, id: string, by: AskedBy): Promise<UserView>;
}
