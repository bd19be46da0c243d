// SPDX-License-Identifier: Apache-2.0
// Signing a browser in and out.
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { SessionRequest, SessionView, SignInLink } from "@fairlead/protocol/routes.ts";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { FairleadError } from "#base/errors.ts";
import { readJsonBody } from "./body.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import { acceptJson, describeJson, PROBLEM } from "./route-parts.ts";
import type { Session } from "./sessions.ts";
import type { ApiParts } from "./parts.ts";

const linkRoute = createRoute({
  method: "post",
  path: "/v1/sign-in-links",
  summary: "A link that signs a browser in, once, within ten minutes",
  responses: { 201: describeJson("The link", SignInLink), default: PROBLEM },
});
const sessionRoute = createRoute({
  method: "get",
  path: "/v1/session",
  summary: "Whether this browser is signed in",
  responses: { 200: describeJson("The session, if there is one", SessionView), default: PROBLEM },
});
const signOutRoute = createRoute({
  method: "delete",
  path: "/v1/session",
  summary: "Sign this browser out",
  responses: { 200: describeJson("Signed out", SessionView), default: PROBLEM },
});

function describeSession({ actor, expiresAtMs }: Session) {
  return { signedIn: true, actor, expiresAt: new Date(expiresAtMs).toISOString() };
}

function readCookie(c: ApiContext): string | undefined {
  const { channel } = c.env;
  return channel.kind === "tcp" ? getCookie(c, channel.cookieName) : undefined;
}

function addLinkRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(linkRoute, (c) => {
    // A session makes no links: one stolen cookie must not become many.
    if (c.get("actor") !== "token" && c.env.channel.kind !== "unix") {
      throw new FairleadError(
        apiErrors.unauthenticated,
        "sign-in links are made over the unix socket or with the token",
      );
    }
    const origin = parts.pageOrigin();
    if (origin === undefined) {
      throw new FairleadError(
        apiErrors["page-not-built"],
        "this node has no TCP listener for a page",
      );
    }
    const { once, expiresAtMs } = parts.sessions.createLink();
    const expiresAt = new Date(expiresAtMs).toISOString();
    return c.json({ url: `${origin}/?once=${once}`, expiresAt }, 201);
  });
}

function addSignInRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const signInRoute = createRoute({
    method: "post",
    path: "/v1/session",
    summary: "Exchange a one-time secret for a session cookie",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(SessionRequest) },
    responses: { 201: describeJson("Signed in", SessionView), default: PROBLEM },
  });
  app.openapi(signInRoute, (c) => {
    const { channel } = c.env;
    if (channel.kind === "unix") {
      throw new FairleadError(apiErrors["no-such-route"], "the unix socket needs no session");
    }
    if (!parts.failures.open()) {
      throw new FairleadError(
        apiErrors["too-many-attempts"],
        "too many wrong links in the last minute",
      );
    }
    const made = parts.sessions.exchange(c.req.valid("json").once);
    if (made === undefined) {
      parts.failures.note();
      throw new FairleadError(
        apiErrors["link-spent"],
        "this link was used already, is too old, or is not this node's",
      );
    }
    // A new session for each sign-in, and an end to the one before it: nothing for session fixation to fix.
    const before = readCookie(c);
    if (before !== undefined) parts.sessions.end(before);
    setCookie(c, channel.cookieName, made.cookie, {
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
      maxAge: Math.floor(parts.settings.limits.sessionTtlMs / 1_000),
    });
    parts.logger.info("signed a browser in", { actor: made.session.actor });
    return c.json(describeSession(made.session), 201);
  });
}

/** Adds sign-in links and sessions. */
export function addSessionRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addLinkRoute(app, parts);
  addSignInRoute(app, parts);
  app.openapi(sessionRoute, (c) => {
    const cookie = readCookie(c);
    const session = cookie === undefined ? undefined : parts.sessions.find(cookie);
    return c.json(session === undefined ? { signedIn: false } : describeSession(session), 200);
  });
  app.openapi(signOutRoute, (c) => {
    const cookie = readCookie(c);
    if (cookie !== undefined) parts.sessions.end(cookie);
    if (c.env.channel.kind === "tcp") deleteCookie(c, c.env.channel.cookieName, { path: "/" });
    return c.json({ signedIn: false }, 200);
  });
}
