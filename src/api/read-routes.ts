// SPDX-License-Identifier: Apache-2.0
// Routes that only look.
import { Decision, DecisionOutcome } from "@fairlead/protocol/decision.ts";
import { Intent } from "@fairlead/protocol/intent.ts";
import { PlacementView } from "@fairlead/protocol/placement.ts";
import {
  AgentList,
  AlertList,
  Capabilities,
  DecisionList,
  ImagesAnswer,
  ImagesRequest,
  InstanceList,
  NetworkAdviceList,
  NetworkList,
  NodeList,
  PathList,
  QueueList,
  ScopeList,
  ServiceList,
} from "@fairlead/protocol/routes.ts";
import { API_VERSION, NodeStatus, ScopeView, WhyAnswer } from "@fairlead/protocol/views.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import type { ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import {
  acceptJson,
  countBetween,
  describeJson,
  given,
  PROBLEM,
  runOperation,
  scopeParams,
  scopeQuery,
  wrapList,
} from "./route-parts.ts";

const name = z.string().min(1).max(300);
const instanceQuery = scopeQuery.extend({ service: name.optional() });
const objectQuery = scopeQuery.extend({ object: name });
const agentQuery = scopeQuery.extend({
  name: name.optional(),
  kind: z.enum(["agent", "service"]).optional(),
  skill: name.optional(),
  contract: name.optional(),
});
const decisionQuery = scopeQuery.extend({
  service: name.optional(),
  outcome: DecisionOutcome.optional(),
  /** Milliseconds since 1970. */
  sinceMs: countBetween(0, Number.MAX_SAFE_INTEGER).optional(),
  untilMs: countBetween(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: countBetween(1, 1_000).default(100),
  /** Only decisions older than the one with this id. */
  before: name.optional(),
  /** Only those that the node of this name made. */
  node: name.optional(),
});

function get<P extends string, T extends z.ZodType>(path: P, summary: string, schema: T) {
  return {
    method: "get" as const,
    path,
    "x-fairlead-role": "viewer" as const,
    summary,
    responses: { 200: describeJson(summary, schema), default: PROBLEM },
  };
}

const statusRoute = defineRoute(
  get("/v1/status", "The node, its engine and its store", NodeStatus),
);
const scopesRoute = defineRoute(get("/v1/scopes", "Every scope with its services", ScopeList));
const alertsRoute = defineRoute(get("/v1/alerts", "What needs a person", AlertList));
const scopeRoute = defineRoute({
  ...get("/v1/scopes/{scope}", "One scope with its services", ScopeView),
  request: { params: scopeParams },
});
const intentRoute = defineRoute({
  ...get("/v1/scopes/{scope}/intent", "What the scope's owner wants; secrets hidden", Intent),
  request: { params: scopeParams },
});
const servicesRoute = defineRoute({
  ...get("/v1/services", "Services with their state and the reason for it", ServiceList),
  request: { query: scopeQuery },
});
const instancesRoute = defineRoute({
  ...get("/v1/instances", "Containers behind the services", InstanceList),
  request: { query: instanceQuery },
});
const agentsRoute = defineRoute({
  ...get("/v1/agents", "Programs that joined the fabric, and what they serve", AgentList),
  request: { query: agentQuery },
});
const nodesRoute = defineRoute(
  get("/v1/nodes", "Nodes of the fleet, as this one sees them", NodeList),
);
const networksRoute = defineRoute(
  get("/v1/networks", "Networks that span hosts, as this node sees them", NetworkList),
);
const adviceRoute = defineRoute({
  ...get(
    "/v1/network-advice",
    "Which network each service has, which suits it, and why",
    NetworkAdviceList,
  ),
  request: { query: scopeQuery.extend({ service: name.optional() }) },
});
const placementRoute = defineRoute({
  ...get("/v1/placement", "Why a service stands where it stands, node by node", PlacementView),
  request: { query: scopeQuery.extend({ service: name }) },
});
const pathsRoute = defineRoute(
  get("/v1/paths", "How large packets may be on the way to other nodes, as measured", PathList),
);
const queuesRoute = defineRoute({
  ...get("/v1/queues", "Messages that are kept and not acknowledged, and dead letters", QueueList),
  request: { query: scopeQuery },
});
const inspectRoute = defineRoute({
  ...get(
    "/v1/inspect",
    "The engine's document of one instance, secrets hidden",
    z.record(z.string(), z.unknown()),
  ),
  request: { query: objectQuery },
});
const decisionsRoute = defineRoute({
  ...get("/v1/decisions", "What was done and why, newest first", DecisionList),
  request: { query: decisionQuery },
});
const decisionRoute = defineRoute({
  ...get("/v1/decisions/{id}", "One decision", Decision),
  request: { params: z.strictObject({ id: name }) },
});
const whyRoute = defineRoute({
  ...get("/v1/why", "Why an object is as it is", WhyAnswer),
  request: { query: objectQuery },
});
const capabilitiesRoute = defineRoute(
  get("/v1/capabilities", "What this API offers, for programs", Capabilities),
);

function addObjectRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { operations } = parts;
  app.openapi(statusRoute, async (c) => {
    const status = await runOperation(c, parts, (caller) => operations.status(caller));
    const page = parts.pageOrigin();
    const role = c.get("who")?.role;
    return c.json({ ...status, ...given({ page: status.page ?? page, role }) }, 200);
  });
  app.openapi(scopeRoute, async (c) => {
    const { scope } = c.req.valid("param");
    return c.json(await runOperation(c, parts, (caller) => operations.scope(scope, caller)), 200);
  });
  app.openapi(intentRoute, async (c) => {
    const { scope } = c.req.valid("param");
    return c.json(await runOperation(c, parts, (caller) => operations.intent(scope, caller)), 200);
  });
  app.openapi(inspectRoute, async (c) => {
    const { object, scope } = c.req.valid("query");
    const answer = await runOperation(c, parts, (caller) =>
      operations.inspect(object, given({ scope }), caller),
    );
    return c.json(answer, 200);
  });
  app.openapi(decisionRoute, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(await runOperation(c, parts, (caller) => operations.decision(id, caller)), 200);
  });
  app.openapi(whyRoute, async (c) => {
    const { object, scope } = c.req.valid("query");
    const answer = await runOperation(c, parts, (caller) =>
      operations.why(object, given({ scope }), caller),
    );
    return c.json(answer, 200);
  });
}

function addListRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { operations } = parts;
  app.openapi(scopesRoute, async (c) => {
    const answer = await runOperation(c, parts, (caller) => operations.scopes(caller));
    return c.json(wrapList("ScopeList", answer), 200);
  });
  app.openapi(servicesRoute, async (c) => {
    const filter = given(c.req.valid("query"));
    const answer = await runOperation(c, parts, (caller) => operations.services(filter, caller));
    return c.json(wrapList("ServiceList", answer), 200);
  });
  app.openapi(instancesRoute, async (c) => {
    const filter = given(c.req.valid("query"));
    const answer = await runOperation(c, parts, (caller) => operations.instances(filter, caller));
    return c.json(wrapList("InstanceList", answer), 200);
  });
  app.openapi(decisionsRoute, async (c) => {
    const filter = given(c.req.valid("query"));
    const answer = await runOperation(c, parts, (caller) => operations.decisions(filter, caller));
    return c.json(wrapList("DecisionList", answer), 200);
  });
  app.openapi(agentsRoute, (c) => {
    const items = parts.fabric.list(given(c.req.valid("query")));
    const answer = { items, asOfMs: parts.clock.nowMs(), missing: [] };
    return c.json(wrapList("AgentList", answer), 200);
  });
  app.openapi(nodesRoute, (c) => {
    const { problem } = parts.roll;
    const missing = problem === undefined ? [] : [`the fleet's store: ${problem}`];
    const answer = { items: parts.roll.list(), asOfMs: parts.clock.nowMs(), missing };
    return c.json(wrapList("NodeList", answer), 200);
  });
  app.openapi(networksRoute, (c) => {
    const { problem } = parts.overlays;
    const missing = problem === undefined ? [] : [problem];
    const answer = { items: parts.overlays.list(), asOfMs: parts.clock.nowMs(), missing };
    return c.json(wrapList("NetworkList", answer), 200);
  });
  app.openapi(adviceRoute, (c) => {
    const { scope, service } = c.req.valid("query");
    const items = parts.networks.advise(scope, service);
    const missing = parts.overlays.problem === undefined ? [] : [parts.overlays.problem];
    const answer = { items, asOfMs: parts.clock.nowMs(), missing };
    return c.json(wrapList("NetworkAdviceList", answer), 200);
  });
  app.openapi(placementRoute, async (c) => {
    const { service, scope } = c.req.valid("query");
    return c.json(await parts.placement.explain(service, scope), 200);
  });
  app.openapi(pathsRoute, (c) => {
    const answer = { items: parts.paths.list(), asOfMs: parts.clock.nowMs(), missing: [] };
    return c.json(wrapList("PathList", answer), 200);
  });
  app.openapi(queuesRoute, async (c) => {
    const { scope } = c.req.valid("query");
    const answer = await runOperation(c, parts, (caller) => operations.queues(caller));
    const items = answer.items.filter((queue) => scope === undefined || queue.scope === scope);
    return c.json(wrapList("QueueList", { ...answer, items }), 200);
  });
  app.openapi(alertsRoute, async (c) => {
    const answer = await runOperation(c, parts, (caller) => operations.alerts(caller));
    return c.json(wrapList("AlertList", answer), 200);
  });
}

function addImagesRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const route = defineRoute({
    method: "post",
    path: "/v1/images",
    "x-fairlead-role": "viewer",
    summary: "Which of these images the engine has",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(ImagesRequest) },
    responses: {
      200: describeJson("Both halves of the list, in the order asked", ImagesAnswer),
      default: PROBLEM,
    },
  });
  app.openapi(route, async (c) => {
    const { references } = c.req.valid("json");
    const have = await runOperation(c, parts, (caller) =>
      parts.operations.images(references, caller),
    );
    const present = references.filter((one) => have.has(one));
    const absent = references.filter((one) => !have.has(one));
    return c.json({ apiVersion: API_VERSION as typeof API_VERSION, present, absent }, 200);
  });
}

interface DocumentedRoute {
  readonly method: string;
  readonly path: string;
  readonly summary?: string;
}

/** Every documented route of an app. */
export function listRoutes(app: OpenAPIHono<ApiEnv>): readonly DocumentedRoute[] {
  return app.openAPIRegistry.definitions.flatMap((one) =>
    one.type === "route" ? [one.route] : [],
  );
}

function addCapabilitiesRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(capabilitiesRoute, (c) =>
    c.json(
      {
        apiVersion: API_VERSION as typeof API_VERSION,
        version: parts.settings.version,
        routes: listRoutes(app).map(({ method, path, summary }) => ({
          method: method.toUpperCase(),
          path,
          summary: summary ?? "",
        })),
        limits: { ...parts.settings.limits },
        errors: Object.values(apiErrors).map((kind) => ({ ...kind })),
      },
      200,
    ),
  );
}

/** Adds every route that only looks. */
export function addReadRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addObjectRoutes(app, parts);
  addListRoutes(app, parts);
  addImagesRoute(app, parts);
  addCapabilitiesRoute(app, parts);
}
