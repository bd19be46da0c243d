// SPDX-License-Identifier: Apache-2.0
// People and programs that may use a node's API, and how much each may do.
import { z } from "zod";
import { Reason } from "./requests.ts";

/** What one may do: look, run what is there, decide who may what. Each may what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;
/** `viewer` */
export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

/** Whether who has one role may do what takes another. */
export function isEnough(has: Role, needs: Role): boolean {
  return ROLES.indexOf(has) >= ROLES.indexOf(needs);
}

/** Shortest and longest life of a user's token, milliseconds; 90 days when nobody says. */
export const USER_TOKEN_TTL_MS = {
  min: 60_000,
  max: 366 * 86_400_000,
  default: 90 * 86_400_000,
} as const;
/** Most users of a node. */
export const USERS_MAX = 1_000;
/** Most tokens of one user that are not over. */
export const USER_TOKENS_MAX = 20;

/** Names of others in decisions. */
const RESERVED: ReadonlySet<string> = new Set([
  "automatic",
  "token",
  "nobody",
  "agent",
  "fairlead",
]);
/** `ana`, `ci-runner`: as it stands in decisions and in the audit log. */
export const UserName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/)
  .refine((name) => !RESERVED.has(name), "stands for something else in decisions");

/** `PUT /v1/users/{name}` */
export const UserRequest = z.strictObject({ role: Role, reason: Reason.optional() });
export type UserRequest = z.infer<typeof UserRequest>;

/** `POST /v1/users/{name}/tokens` */
export const UserTokenRequest = z.strictObject({
  ttlMs: z.number().int().min(USER_TOKEN_TTL_MS.min).max(USER_TOKEN_TTL_MS.max).optional(),
  reason: Reason.optional(),
});
export type UserTokenRequest = z.infer<typeof UserTokenRequest>;

/** A token as the node knows it; its secret is shown once, when it is made. */
export const UserTokenView = z.strictObject({
  id: z.string(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
  createdBy: z.string(),
  expired: z.boolean(),
});
export type UserTokenView = z.infer<typeof UserTokenView>;

/** Who may use this node's API besides who reaches its unix socket. */
export const UserView = z.strictObject({
  name: z.string(),
  role: Role,
  createdAtMs: z.number(),
  createdBy: z.string(),
  tokens: z.array(UserTokenView),
});
export type UserView = z.infer<typeof UserView>;

/** Answer of `POST /v1/users/{name}/tokens`. */
export const CreatedUserToken = z.strictObject({
  user: UserView,
  view: UserTokenView,
  /** The whole token, `flu_…`. */
  text: z.string(),
});
export type CreatedUserToken = z.infer<typeof CreatedUserToken>;
