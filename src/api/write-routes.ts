// SPDX-License-Identifier: Apache-2.0
// Routes that change what is wanted. Each takes a body that its schema accepts whole, or nothing happens.
import { Plan } from "@fairlead/protocol/decision.ts";
import {
  ActionRequest,
  ApplyRequest,
  DownRequest,
  PlanRequest,
  ScaleRequest,
} from "@fairlead/protocol/requests.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { FairleadError } from "#base/errors.ts";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import type { ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, PROBLEM, runOperation, scopeParams } from "./route-parts.ts";

/** Throws FL0515 when a body speaks of another scope than its address. */
function checkScope(addressed: string, named: string): void {
  if (addressed === named) return;
  throw new FairleadError(
    apiErrors["invalid-request"],
    `body.intent.scope: is "${named}", the address says "${addressed}"`,
    { facts: { path: "body.intent.scope" } },
  );
}

function addPlanRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { operations } = parts;
  const responses = { 200: describeJson("The plan", Plan), default: PROBLEM };
  const planRoute = defineRoute({
    method: "post",
    path: "/v1/plans",
    "x-fairlead-role": "viewer",
    summary: "What applying an intent would do; writes nothing",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(PlanRequest) },
    responses,
  });
  const applyRoute = defineRoute({
    method: "put",
    path: "/v1/scopes/{scope}/intent",
    "x-fairlead-role": "operator",
    summary: "Store what is wanted; with a plan, only if that plan still holds (else 409)",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, body: acceptJson(ApplyRequest) },
    responses,
  });
  app.openapi(planRoute, async (c) => {
    const { intent } = c.req.valid("json");
    return c.json(await runOperation(c, parts, (caller) => operations.plan(intent, caller)), 200);
  });
  app.openapi(applyRoute, async (c) => {
    const request = c.req.valid("json");
    checkScope(c.req.valid("param").scope, request.intent.scope);
    return c.json(await runOperation(c, parts, (caller) => operations.apply(request, caller)), 200);
  });
}

function addScopeRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { operations } = parts;
  const responses = { 200: describeJson("The plan", Plan), default: PROBLEM };
  const downRoute = defineRoute({
    method: "delete",
    path: "/v1/scopes/{scope}",
    "x-fairlead-role": "operator",
    summary: "Want nothing in this scope any more",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, body: acceptJson(DownRequest, false) },
    responses,
  });
  const scaleRoute = defineRoute({
    method: "put",
    path: "/v1/scopes/{scope}/replicas",
    "x-fairlead-role": "operator",
    summary: "Want other numbers of instances, until the intent is applied anew",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, body: acceptJson(ScaleRequest) },
    responses,
  });
  const actionRoute = defineRoute({
    method: "post",
    path: "/v1/scopes/{scope}/actions",
    "x-fairlead-role": "operator",
    summary: "Restart services, or pause and resume automation",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, body: acceptJson(ActionRequest) },
    responses,
  });
  app.openapi(downRoute, async (c) => {
    const { scope } = c.req.valid("param");
    const request = c.req.valid("json");
    const plan = await runOperation(c, parts, (caller) => operations.down(scope, request, caller));
    return c.json(plan, 200);
  });
  app.openapi(scaleRoute, async (c) => {
    const { scope } = c.req.valid("param");
    const request = c.req.valid("json");
    const plan = await runOperation(c, parts, (caller) => operations.scale(scope, request, caller));
    return c.json(plan, 200);
  });
  app.openapi(actionRoute, async (c) => {
    const { scope } = c.req.valid("param");
    const request = c.req.valid("json");
    const plan = await runOperation(c, parts, (caller) => operations.act(scope, request, caller));
    return c.json(plan, 200);
  });
}

/** Adds every route that changes what is wanted. */
export function addWriteRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addPlanRoutes(app, parts);
  addScopeRoutes(app, parts);
}
