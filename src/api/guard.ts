// SPDX-License-Identifier: Apache-2.0
// Who may ask what: Host, Origin, token, session. Runs before every route, known or not.
import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { FairleadError } from "#base/errors.ts";
import type { ApiContext, ApiEnv, Channel, Who } from "./channel.ts";
import { checkStranger } from "./check-rate.ts";
import { apiErrors } from "./errors.ts";
import { checkToken, findSession } from "./identify.ts";
import type { ApiParts } from "./parts.ts";

type Tcp = Extract<Channel, { kind: "tcp" }>;

const READING = new Set(["GET", "HEAD"]);
/** Routes that say themselves who may use them. */
const OPEN_ROUTES = new Set(["GET /v1/session", "POST /v1/session", "DELETE /v1/session"]);

/** The file's mode has decided who reaches the unix socket; who shows a token there wants to be no more than that. */
const OWNER: Who = { actor: "unix socket", role: "admin", by: "unix" };

/** Against DNS rebinding: a page of another name that now resolves to 127.0.0.1 still sends its own name. */
function checkHost(c: ApiContext, tcp: Tcp): void {
  const host = c.req.header("host")?.toLowerCase() ?? "";
  if (tcp.isOwnHost(host)) return;
  throw new FairleadError(
    apiErrors["foreign-host"],
    "this node does not answer to that host name",
    {
      facts: { host: host.slice(0, 200) },
    },
  );
}

/**
 * Against other sites, and other ports of this host: SameSite counts every port of 127.0.0.1 as one site,
 * so that a cookie alone would let any local web page act.
 */
function checkOrigin(c: ApiContext, { isSecure }: Tcp): void {
  const own = `${isSecure ? "https" : "http"}://${c.req.header("host")?.toLowerCase() ?? ""}`;
  const origin = c.req.header("origin");
  const site = c.req.header("sec-fetch-site");
  const foreign =
    (origin !== undefined && origin.toLowerCase() !== own) ||
    (site !== undefined && site !== "same-origin" && site !== "none");
  if (!foreign) return;
  throw new FairleadError(
    apiErrors["foreign-origin"],
    "a page of another origin sent this request",
    {
      facts: { origin: (origin ?? `(sec-fetch-site: ${site})`).slice(0, 200) },
    },
  );
}

/** A cookie is sent by the browser unasked: to change something, the page has to be named too. */
function requireOrigin(c: ApiContext): void {
  if (READING.has(c.req.method) || c.req.header("origin") !== undefined) return;
  throw new FairleadError(
    apiErrors["foreign-origin"],
    "a request by cookie that changes something has to name its origin",
  );
}

/** A wrong cookie is not counted as an attempt: tabs left open after a restart send theirs for hours. */
function authenticate(c: ApiContext, parts: ApiParts, tcp: Tcp): Who {
  const header = c.req.header("authorization");
  if (header !== undefined) return checkToken(c, parts, header);
  const cookie = getCookie(c, tcp.cookieName);
  const found = cookie === undefined ? undefined : findSession(parts, cookie);
  if (found === undefined) {
    throw new FairleadError(
      apiErrors.unauthenticated,
      "no token and no signed-in session came with the request",
    );
  }
  requireOrigin(c);
  const { session, role } = found;
  return { ...session.bearer, actor: session.actor, role, by: "session" };
}

/** Lets a request through to `/v1` only when it may ask at all, and names who asks. */
export function createGuard(parts: ApiParts): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { channel } = c.env;
    if (channel.kind === "unix") {
      const header = c.req.header("authorization");
      c.set("who", header === undefined ? OWNER : checkToken(c, parts, header));
      return next();
    }
    try {
      checkHost(c, channel);
      if (c.req.path.startsWith("/v1")) {
        checkOrigin(c, channel);
        if (!OPEN_ROUTES.has(`${c.req.method} ${c.req.path}`))
          c.set("who", authenticate(c, parts, channel));
      }
    } catch (refusal) {
      checkStranger(c, parts);
      throw refusal;
    }
    if (c.get("who") === undefined) checkStranger(c, parts);
    return next();
  };
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** Headers that every answer has, errors included. */
export const secureAnswers: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set("content-security-policy", POLICY);
  headers.set("x-frame-options", "DENY");
  headers.set("x-content-type-options", "nosniff");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
};
