// SPDX-License-Identifier: Apache-2.0
// What agents may do with each other.
import { ScopeName } from "@fairlead/protocol/intent.ts";
import { Reason } from "@fairlead/protocol/requests.ts";
import {
  RightsGrant,
  RightsName,
  RightsQuestion,
  RightsRequest,
  RightsVerdict,
  RightsView,
} from "@fairlead/protocol/rights.ts";
import { RightsList } from "@fairlead/protocol/routes.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, wrapList } from "./route-parts.ts";

const params = z.strictObject({ scope: ScopeName, name: RightsName });
const query = z.strictObject({ reason: Reason.optional() });
const removed = z.strictObject({ scope: z.string(), name: z.string(), removed: z.literal(true) });
const verdict = { 200: describeJson("Step by step", RightsVerdict), default: PROBLEM };

function addChangeRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { rights } = parts;
  const applyRoute = defineRoute({
    method: "put",
    path: "/v1/rights",
    "x-fairlead-role": "admin",
    summary: "Declare policies in Cedar for the agents of a scope, in place of those of that name",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(RightsRequest) },
    responses: { 200: describeJson("What is in force", RightsView), default: PROBLEM },
  });
  const removeRoute = defineRoute({
    method: "delete",
    path: "/v1/rights/{scope}/{name}",
    "x-fairlead-role": "admin",
    summary: "Take policies back; a scope without any is free",
    request: { params, query },
    responses: { 200: describeJson("It is gone", removed), default: PROBLEM },
  });
  const grantRoute = defineRoute({
    method: "post",
    path: "/v1/rights/grants",
    "x-fairlead-role": "operator",
    summary: "Say yes, for a while, to what policies want a person to be asked",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(RightsGrant) },
    responses: verdict,
  });
  app.openapi(applyRoute, async (c) => {
    const request = c.req.valid("json");
    const by = { actor: createCaller(c, parts).actor, ...given({ reason: request.reason }) };
    return c.json(await rights.apply(request, by), 200);
  });
  app.openapi(removeRoute, async (c) => {
    const { scope, name } = c.req.valid("param");
    const by = { actor: createCaller(c, parts).actor, ...given(c.req.valid("query")) };
    await rights.remove(scope, name, by);
    return c.json({ scope, name, removed: true as const }, 200);
  });
  app.openapi(grantRoute, async (c) => {
    const request = c.req.valid("json");
    const by = { actor: createCaller(c, parts).actor, ...given({ reason: request.reason }) };
    return c.json(await rights.grant(request, by), 200);
  });
}

/** Adds the routes about rights. */
export function addRightsRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { rights, clock } = parts;
  const listRoute = defineRoute({
    method: "get",
    path: "/v1/rights",
    "x-fairlead-role": "viewer",
    summary: "Policies in Cedar for the agents of this node's scopes",
    responses: { 200: describeJson("By scope and name", RightsList), default: PROBLEM },
  });
  const testRoute = defineRoute({
    method: "post",
    path: "/v1/rights/test",
    "x-fairlead-role": "viewer",
    summary: "What would be decided if an agent asked this now; nothing is counted",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(RightsQuestion) },
    responses: verdict,
  });
  app.openapi(listRoute, (c) => {
    const { problem } = rights;
    const missing = problem === undefined ? [] : [`changes of other nodes: ${problem}`];
    const answer = { items: rights.list(), asOfMs: clock.nowMs(), missing };
    return c.json(wrapList("RightsList", answer), 200);
  });
  app.openapi(testRoute, (c) => c.json(rights.test(c.req.valid("json")), 200));
  addChangeRoutes(app, parts);
}
