// SPDX-License-Identifier: Apache-2.0
// Who may talk to whom.
import { ScopeName } from "@fairlead/protocol/intent.ts";
import {
  CanAnswer,
  CanRequest,
  PolicyRequest,
  type PolicyView,
} from "@fairlead/protocol/policy.ts";
import { Reason } from "@fairlead/protocol/requests.ts";
import { PolicyList } from "@fairlead/protocol/routes.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, runOperation, wrapList } from "./route-parts.ts";

const params = z.strictObject({ scope: ScopeName, name: z.string().min(1).max(253) });
const query = z.strictObject({ reason: Reason.optional() });
const removed = z.strictObject({ scope: z.string(), name: z.string(), removed: z.literal(true) });

/** Adds the routes about network policy. */
export function addPolicyRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { policies, clock } = parts;
  const listed = (items: readonly PolicyView[]) => {
    const missing = policies.problem === undefined ? [] : [`policy: ${policies.problem}`];
    return wrapList("PolicyList", { items, asOfMs: clock.nowMs(), missing });
  };
  const listRoute = defineRoute({
    method: "get",
    path: "/v1/policies",
    "x-fairlead-role": "viewer",
    summary: "Network policies, and whom they select on this node",
    responses: { 200: describeJson("By scope and name", PolicyList), default: PROBLEM },
  });
  const applyRoute = defineRoute({
    method: "put",
    path: "/v1/policies",
    "x-fairlead-role": "admin",
    summary: "Declare policies, in place of those with the same scope and name: all or none",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(PolicyRequest) },
    responses: {
      200: describeJson("Those of the scopes that are named", PolicyList),
      default: PROBLEM,
    },
  });
  const removeRoute = defineRoute({
    method: "delete",
    path: "/v1/policies/{scope}/{name}",
    "x-fairlead-role": "admin",
    summary: "Take a policy back",
    request: { params, query },
    responses: { 200: describeJson("It is gone", removed), default: PROBLEM },
  });
  const canRoute = defineRoute({
    method: "post",
    path: "/v1/can",
    "x-fairlead-role": "operator",
    summary: "Whether one may talk to the other: declared, installed, and by a real packet",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(CanRequest) },
    responses: { 200: describeJson("The answer with its proofs", CanAnswer), default: PROBLEM },
  });
  app.openapi(listRoute, (c) => c.json(listed(policies.list()), 200));
  app.openapi(applyRoute, async (c) => {
    const request = c.req.valid("json");
    const by = { actor: createCaller(c, parts).actor, ...given({ reason: request.reason }) };
    return c.json(listed(await policies.apply(request, by)), 200);
  });
  app.openapi(removeRoute, async (c) => {
    const { scope, name } = c.req.valid("param");
    const { actor } = createCaller(c, parts);
    await policies.remove(scope, name, { actor, ...given(c.req.valid("query")) });
    return c.json({ scope, name, removed: true as const }, 200);
  });
  app.openapi(canRoute, async (c) => {
    const request = c.req.valid("json");
    return c.json(await runOperation(c, parts, () => policies.can(request)), 200);
  });
}
