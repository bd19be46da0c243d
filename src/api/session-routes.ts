// SPDX-License-Identifier: Apache-2.0
// Signing a browser in and out.
import { isEnough, Role } from "@fairlead/protocol/access.ts";
import { SessionRequest, SessionView, SignInLink } from "@fairlead/protocol/routes.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { readJsonBody } from "./body.ts";
import type { ApiContext, ApiEnv, Who } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import { checkAttempts, findBearer, findSession, readRole } from "./identify.ts";
import type { ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM } from "./route-parts.ts";
import type { Bearer, Session } from "./sessions.ts";

const linkQuery = z.strictObject({ role: Role.optional() });
const linkRoute = defineRoute({
  method: "post",
  path: "/v1/sign-in-links",
  "x-fairlead-role": "viewer",
  summary: "A link that signs a browser in, once, within ten minutes; as its maker, or as less",
  request: { query: linkQuery },
  responses: { 201: describeJson("The link", SignInLink), default: PROBLEM },
});
const sessionRoute = defineRoute({
  method: "get",
  path: "/v1/session",
  "x-fairlead-role": "open",
  summary: "Whether this browser is signed in",
  responses: { 200: describeJson("The session, if there is one", SessionView), default: PROBLEM },
});
const signOutRoute = defineRoute({
  method: "delete",
  path: "/v1/session",
  "x-fairlead-role": "open",
  summary: "Sign this browser out",
  responses: { 200: describeJson("Signed out", SessionView), default: PROBLEM },
});

function describeSession({ actor, expiresAtMs }: Session, role: Role) {
  return { signedIn: true, actor, role, expiresAt: new Date(expiresAtMs).toISOString() };
}

/** What a link stands for: its maker, or nobody in particular with less. Throws FL0521. */
function chooseBearer({ role, user }: Who, asked: Role | undefined): Bearer {
  if (asked === undefined || asked === role) return { role, ...given({ user }) };
  if (isEnough(role, asked)) return { role: asked };
  throw new FairleadError(
    apiErrors["role-too-low"],
    `a link as ${asked} is made by who has that role`,
    { facts: { has: role, needs: asked } },
  );
}

/** The session that a secret opens. Throws FL0505, FL0506, FL0507. */
function openSession(parts: ApiParts, shown: SessionRequest) {
  checkAttempts(parts, "once" in shown ? "links" : "tokens");
  const bearer = "token" in shown ? findBearer(parts, shown.token) : undefined;
  const made =
    "once" in shown ? parts.sessions.exchange(shown.once) : bearer && parts.sessions.begin(bearer);
  const role = made && readRole(parts, made.session.bearer);
  if (made !== undefined && role !== undefined) return { ...made, role };
  parts.failures.note();
  if ("token" in shown)
    throw new FairleadError(apiErrors.unauthenticated, "this token is not one of the node's");
  throw new FairleadError(
    apiErrors["link-spent"],
    "this link was used already, is too old, or is not this node's",
  );
}

function readCookie(c: ApiContext): string | undefined {
  const { channel } = c.env;
  return channel.kind === "tcp" ? getCookie(c, channel.cookieName) : undefined;
}

function addLinkRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(linkRoute, (c) => {
    const who = c.get("who");
    // A session makes no links: one stolen cookie must not become many.
    if (who === undefined || who.by === "session") {
      throw new FairleadError(
        apiErrors.unauthenticated,
        "sign-in links are made over the unix socket or with a token",
      );
    }
    const bearer = chooseBearer(who, c.req.valid("query").role);
    const origin = parts.pageOrigin();
    if (origin === undefined) {
      throw new FairleadError(
        apiErrors["page-not-built"],
        "this node has no TCP listener for a page",
      );
    }
    const { once, expiresAtMs } = parts.sessions.createLink(bearer);
    const expiresAt = new Date(expiresAtMs).toISOString();
    return c.json({ url: `${origin}/?once=${once}`, expiresAt }, 201);
  });
}

function addSignInRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const signInRoute = defineRoute({
    method: "post",
    path: "/v1/session",
    "x-fairlead-role": "open",
    summary: "Exchange the secret of a link, or a token, for a session cookie",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(SessionRequest) },
    responses: { 201: describeJson("Signed in", SessionView), default: PROBLEM },
  });
  app.openapi(signInRoute, (c) => {
    const { channel } = c.env;
    if (channel.kind === "unix") {
      throw new FairleadError(apiErrors["no-such-route"], "the unix socket needs no session");
    }
    const made = openSession(parts, c.req.valid("json"));
    // A new session for each sign-in, and an end to the one before it: nothing for session fixation to fix.
    const before = readCookie(c);
    if (before !== undefined) parts.sessions.end(before);
    setCookie(c, channel.cookieName, made.cookie, {
      httpOnly: true,
      sameSite: "Strict",
      secure: channel.isSecure,
      path: "/",
      maxAge: Math.floor(parts.settings.limits.sessionTtlMs / 1_000),
    });
    parts.logger.info("signed a browser in", { actor: made.session.actor });
    return c.json(describeSession(made.session, made.role), 201);
  });
}

/** Adds sign-in links and sessions. */
export function addSessionRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addLinkRoute(app, parts);
  addSignInRoute(app, parts);
  app.openapi(sessionRoute, (c) => {
    const cookie = readCookie(c);
    const found = cookie === undefined ? undefined : findSession(parts, cookie);
    const view =
      found === undefined ? { signedIn: false } : describeSession(found.session, found.role);
    return c.json(view, 200);
  });
  app.openapi(signOutRoute, (c) => {
    const cookie = readCookie(c);
    if (cookie !== undefined) parts.sessions.end(cookie);
    if (c.env.channel.kind === "tcp") deleteCookie(c, c.env.channel.cookieName, { path: "/" });
    return c.json({ signedIn: false }, 200);
  });
}
