// SPDX-License-Identifier: Apache-2.0
// All routes in one app. What is not routed here is refused.
import { OpenAPIHono } from "@hono/zod-openapi";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { createRefusalNotes, createWriteLog } from "./auditing.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { createRateCheck } from "./check-rate.ts";
import { apiErrors } from "./errors.ts";
import { addFleetRoutes } from "./fleet-routes.ts";
import { addFlowRoutes } from "./flow-routes.ts";
import { createGuard, secureAnswers } from "./guard.ts";
import { addImageRoutes } from "./image-routes.ts";
import { describeApi } from "./openapi.ts";
import { createPageFiles } from "./page-files.ts";
import type { ApiParts } from "./parts.ts";
import { addPolicyRoutes } from "./policy-routes.ts";
import { convertThrown, respondWithProblem } from "./problems.ts";
import { addReadRoutes, listRoutes } from "./read-routes.ts";
import { addRightsRoutes } from "./rights-routes.ts";
import { createRoleCheck } from "./roles.ts";
import { addSessionRoutes } from "./session-routes.ts";
import { addStreamRoutes } from "./stream-routes.ts";
import { addTopologyRoutes } from "./topology-routes.ts";
import { addUserRoutes } from "./user-routes.ts";
import { refuseInvalid } from "./validation.ts";
import { addWriteRoutes } from "./write-routes.ts";

const PLACES: Readonly<Record<string, string>> = { json: "body", query: "query", param: "path" };

function respondToError(thrown: unknown, c: ApiContext, parts: ApiParts): Response {
  // What fails after the client went away failed because of that, whatever it says.
  const gone = c.req.raw.signal.aborted;
  const error = gone
    ? new FairleadError(baseErrors.aborted, "the client went away", { cause: thrown })
    : convertThrown(thrown);
  if (error.code === "internal") {
    const cause = error.cause instanceof Error ? error.cause : error;
    parts.logger.error("a request failed in a way that was not foreseen", {
      path: c.req.path,
      id: error.kind.id,
      reason: cause.message,
      stack: cause.stack,
    });
  }
  return respondWithProblem(error);
}

/** Says 405 for an address that exists with other methods, else 404. */
function createRefusal(app: OpenAPIHono<ApiEnv>): (path: string) => FairleadError {
  const routes = listRoutes(app).map(({ method, path }) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  }));
  routes.push({ method: "GET", pattern: /^\/$|^\/v1\/openapi\.json$/ });
  return (path) => {
    const methods = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (methods.length === 0) {
      return new FairleadError(apiErrors["no-such-route"], "there is nothing at this address", {
        facts: { path: path.slice(0, 200) },
      });
    }
    const allow = [...new Set(methods)].toSorted().join(", ");
    return new FairleadError(apiErrors["method-not-allowed"], `this address takes ${allow}`, {
      facts: { allow },
    });
  };
}

/** Adds every documented route; also used to write the OpenAPI document without a node. */
export function addRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addReadRoutes(app, parts);
  addWriteRoutes(app, parts);
  addTopologyRoutes(app, parts);
  addFleetRoutes(app, parts);
  addPolicyRoutes(app, parts);
  addFlowRoutes(app, parts);
  addStreamRoutes(app, parts);
  addImageRoutes(app, parts);
  addSessionRoutes(app, parts);
  addAuditRoutes(app, parts);
  addUserRoutes(app, parts);
  addRightsRoutes(app, parts);
}

/** The app that answers requests of every listener. */
export function createApp(parts: ApiParts): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook(result) {
      if (!result.success)
        throw refuseInvalid(PLACES[result.target] ?? result.target, result.error);
    },
  });
  const page = createPageFiles(parts.settings.pageDirectory);
  app.use(secureAnswers);
  app.use(createRefusalNotes(parts));
  app.use(createGuard(parts));
  app.use(createRateCheck(parts));
  app.use(createRoleCheck(app));
  app.use(createWriteLog(parts));
  addRoutes(app, parts);
  let document: string | undefined;
  app.get("/v1/openapi.json", (c) => {
    document ??= JSON.stringify(describeApi(app, parts.settings.version));
    return c.body(document, 200, { "content-type": "application/json" });
  });
  const refuse = createRefusal(app);
  app.notFound(async (c) => {
    const reading = c.req.method === "GET" || c.req.method === "HEAD";
    const file =
      reading && !c.req.path.startsWith("/v1") ? await page.respond(c.req.path) : undefined;
    if (file !== undefined) return file;
    throw refuse(c.req.path);
  });
  app.onError((thrown, c) => respondToError(thrown, c, parts));
  return app;
}
