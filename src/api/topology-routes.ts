// SPDX-License-Identifier: Apache-2.0
// How the agents of a scope may talk: what is declared, and what has become of it.
import { Plan } from "@fairlead/protocol/decision.ts";
import { Reason, TopologyPlanRequest } from "@fairlead/protocol/requests.ts";
import { ObservedLinks, TopologyDeclaration, TopologyView } from "@fairlead/protocol/topology.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, scopeParams } from "./route-parts.ts";

const path = "/v1/scopes/{scope}/topology";
/** Why, in the words of who asks. */
const query = z.strictObject({ reason: Reason.optional() });
const removed = z.strictObject({ scope: z.string(), removed: z.literal(true) });

/** Adds the routes about topologies. */
export function addTopologyRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { topologies } = parts;
  const responses = {
    200: describeJson("The topology as it is now", TopologyView),
    default: PROBLEM,
  };
  const showRoute = defineRoute({
    method: "get",
    path,
    "x-fairlead-role": "viewer",
    summary: "How the agents of a scope are linked, and where that would break",
    request: { params: scopeParams },
    responses,
  });
  const declareRoute = defineRoute({
    method: "put",
    path,
    "x-fairlead-role": "operator",
    summary: "Declare how the agents of a scope may talk",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, query, body: acceptJson(TopologyDeclaration) },
    responses,
  });
  const removeRoute = defineRoute({
    method: "delete",
    path,
    "x-fairlead-role": "operator",
    summary: "Let everybody in the scope talk to everybody again",
    request: { params: scopeParams, query },
    responses: { 200: describeJson("It is gone", removed), default: PROBLEM },
  });
  const planRoute = defineRoute({
    method: "post",
    path: `${path}/plan`,
    "x-fairlead-role": "viewer",
    summary: "What declaring a topology would change, or removing it; writes nothing",
    middleware: readJsonBody(parts),
    request: { params: scopeParams, body: acceptJson(TopologyPlanRequest) },
    responses: { 200: describeJson("The plan", Plan), default: PROBLEM },
  });
  const linksRoute = defineRoute({
    method: "get",
    path: "/v1/scopes/{scope}/links",
    "x-fairlead-role": "viewer",
    summary:
      "Who talks to whom in a scope, as agents tell and the node sees, with a topology or without",
    request: { params: scopeParams },
    responses: { 200: describeJson("Links in use", ObservedLinks), default: PROBLEM },
  });
  app.openapi(linksRoute, (c) => c.json(topologies.observe(c.req.valid("param").scope), 200));
  app.openapi(showRoute, (c) => c.json(topologies.view(c.req.valid("param").scope), 200));
  app.openapi(planRoute, (c) => {
    const { scope } = c.req.valid("param");
    return c.json(topologies.plan(scope, c.req.valid("json").declaration), 200);
  });
  app.openapi(declareRoute, async (c) => {
    const { scope } = c.req.valid("param");
    const { actor } = createCaller(c, parts);
    const by = { actor, ...given(c.req.valid("query")) };
    return c.json(await topologies.declare(scope, c.req.valid("json"), by), 200);
  });
  app.openapi(removeRoute, async (c) => {
    const { scope } = c.req.valid("param");
    const { actor } = createCaller(c, parts);
    await topologies.remove(scope, { actor, ...given(c.req.valid("query")) });
    return c.json({ scope, removed: true as const }, 200);
  });
}
