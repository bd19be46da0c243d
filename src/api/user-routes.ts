// SPDX-License-Identifier: Apache-2.0
// Who may use this API: users, their roles and their tokens.
import {
  CreatedUserToken,
  UserName,
  UserRequest,
  UserTokenRequest,
  UserView,
} from "@fairlead/protocol/access.ts";
import { Reason } from "@fairlead/protocol/requests.ts";
import { UserList } from "@fairlead/protocol/routes.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readJsonBody } from "./body.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, wrapList } from "./route-parts.ts";

const query = z.strictObject({ reason: Reason.optional() });
const params = z.strictObject({ name: UserName });
const tokenParams = z.strictObject({ name: UserName, id: z.string().min(1).max(63) });
const removed = z.strictObject({ name: z.string(), removed: z.literal(true) });
const path = "/v1/users/{name}" as const;

function askedBy(c: ApiContext, parts: ApiParts, reason: string | undefined) {
  return { actor: createCaller(c, parts).actor, ...given({ reason }) };
}

function addPeopleRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { access, clock } = parts;
  const listRoute = defineRoute({
    method: "get",
    path: "/v1/users",
    "x-fairlead-role": "admin",
    summary: "Who may use this node's API, with their tokens but not the secrets of these",
    responses: { 200: describeJson("By name", UserList), default: PROBLEM },
  });
  const setRoute = defineRoute({
    method: "put",
    path,
    "x-fairlead-role": "admin",
    summary: "Let a user in, or give one another role",
    middleware: readJsonBody(parts),
    request: { params, body: acceptJson(UserRequest) },
    responses: { 200: describeJson("The user as it is now", UserView), default: PROBLEM },
  });
  const removeRoute = defineRoute({
    method: "delete",
    path,
    "x-fairlead-role": "admin",
    summary: "Let a user in no more; tokens and sessions end with it",
    request: { params, query },
    responses: { 200: describeJson("It is gone", removed), default: PROBLEM },
  });
  app.openapi(listRoute, (c) => {
    const answer = { items: access.list(), asOfMs: clock.nowMs(), missing: [] };
    return c.json(wrapList("UserList", answer), 200);
  });
  app.openapi(setRoute, async (c) => {
    const request = c.req.valid("json");
    const by = askedBy(c, parts, request.reason);
    return c.json(await access.setUser(c.req.valid("param").name, request, by), 200);
  });
  app.openapi(removeRoute, async (c) => {
    const { name } = c.req.valid("param");
    await access.removeUser(name, askedBy(c, parts, c.req.valid("query").reason));
    return c.json({ name, removed: true as const }, 200);
  });
}

/** Adds the routes about users. */
export function addUserRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { access } = parts;
  const createTokenRoute = defineRoute({
    method: "post",
    path: `${path}/tokens`,
    "x-fairlead-role": "admin",
    summary: "Make a token for a user; it is shown this once",
    middleware: readJsonBody(parts),
    request: { params, body: acceptJson(UserTokenRequest) },
    responses: { 201: describeJson("The token", CreatedUserToken), default: PROBLEM },
  });
  const revokeRoute = defineRoute({
    method: "delete",
    path: `${path}/tokens/{id}`,
    "x-fairlead-role": "admin",
    summary: "Take a token of a user back",
    request: { params: tokenParams, query },
    responses: { 200: describeJson("The user as it is now", UserView), default: PROBLEM },
  });
  addPeopleRoutes(app, parts);
  app.openapi(createTokenRoute, async (c) => {
    const request = c.req.valid("json");
    const by = askedBy(c, parts, request.reason);
    return c.json(await access.createToken(c.req.valid("param").name, request, by), 201);
  });
  app.openapi(revokeRoute, async (c) => {
    const { name, id } = c.req.valid("param");
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(await access.revokeToken(name, id, by), 200);
  });
}
