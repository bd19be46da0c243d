// SPDX-License-Identifier: Apache-2.0
// Who asks, by what they show: a token or a session's cookie. What a user may is looked up each time, so that who is let in no
// more, or as less, has not even the rest of a session.
import type { Role } from "@fairlead/protocol/access.ts";
import { FairleadError } from "#base/errors.ts";
import type { ApiContext, Who } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import type { ApiParts } from "./parts.ts";
import { equalSecrets, type Bearer, type Session } from "./sessions.ts";

/** Whose token this is: the node's own, or a user's. */
export function findBearer(parts: ApiParts, token: string): Bearer | undefined {
  if (equalSecrets(token, parts.settings.token)) return { role: "admin" };
  return parts.access.find(token);
}

/** What a bearer may do now. */
export function readRole({ access }: ApiParts, { user, role }: Bearer): Role | undefined {
  return user === undefined ? role : access.roleOf(user);
}

/** The session of a cookie; that of a user who is gone is ended. */
export function findSession(
  parts: ApiParts,
  cookie: string,
): { readonly session: Session; readonly role: Role } | undefined {
  const session = parts.sessions.find(cookie);
  if (session === undefined) return undefined;
  const role = readRole(parts, session.bearer);
  if (role !== undefined) return { session, role };
  parts.sessions.end(cookie);
  return undefined;
}

/** Throws FL0507 when too many tried. */
export function checkAttempts(parts: ApiParts, what: string): void {
  if (parts.failures.open()) return;
  throw new FairleadError(
    apiErrors["too-many-attempts"],
    `too many wrong ${what} in the last minute`,
  );
}

/** Who shows this header. Over TCP wrong ones are counted. Throws FL0505, FL0507. */
export function checkToken(c: ApiContext, parts: ApiParts, header: string): Who {
  const counts = c.env.channel.kind === "tcp";
  if (counts) checkAttempts(parts, "tokens");
  const [scheme, token] = header.split(" ", 2);
  const bearer = scheme?.toLowerCase() === "bearer" ? findBearer(parts, token ?? "") : undefined;
  if (bearer !== undefined) return { actor: bearer.user ?? "token", by: "token", ...bearer };
  if (counts) parts.failures.note();
  parts.logger.warn("refused a token", { path: c.req.path });
  throw new FairleadError(apiErrors.unauthenticated, "this token is not one of the node's");
}
