// SPDX-License-Identifier: Apache-2.0
// Who was seen talking to whom.
import {
  EffectRequest,
  EffectView,
  FlowList,
  FlowQuery,
  FlowView,
} from "@fairlead/protocol/flows.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { readJsonBody } from "./body.ts";
import type { ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, runOperation, wrapList } from "./route-parts.ts";
import type { Message } from "./streams.ts";

const listRoute = defineRoute({
  method: "get",
  path: "/v1/flows",
  "x-fairlead-role": "viewer",
  summary: "Conversations that were seen, with what policy said to them",
  request: { query: FlowQuery },
  responses: { 200: describeJson("The last seen first", FlowList), default: PROBLEM },
});
const followRoute = defineRoute({
  method: "get",
  path: "/v1/flows/follow",
  "x-fairlead-role": "viewer",
  summary: "Conversations as they are seen, about once a second",
  request: { query: FlowQuery },
  responses: {
    200: {
      description:
        "Each with the count of what is new. Server-sent events when `Accept: text/event-stream`, else JSON lines.",
      content: {
        "application/x-ndjson": { schema: FlowView },
        "text/event-stream": { schema: FlowView },
      },
    },
    default: PROBLEM,
  },
});

async function* toMessages(flows: AsyncIterable<FlowView>): AsyncGenerator<Message> {
  for await (const data of flows) yield { data };
}

/** Adds the routes about flows. */
export function addFlowRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { policies, operations, streams } = parts;
  const effectRoute = defineRoute({
    method: "post",
    path: "/v1/policies/effect",
    "x-fairlead-role": "operator",
    summary: "What policies would change for what was seen; nothing is declared",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(EffectRequest) },
    responses: {
      200: describeJson("What would have another verdict", EffectView),
      default: PROBLEM,
    },
  });
  app.openapi(effectRoute, async (c) => {
    const request = c.req.valid("json");
    return c.json(await runOperation(c, parts, () => policies.effect(request)), 200);
  });
  app.openapi(listRoute, async (c) => {
    const query = given(c.req.valid("query"));
    const answer = await runOperation(c, parts, (caller) => operations.flows(query, caller));
    return c.json(wrapList("FlowList", answer), 200);
  });
  app.openapi(followRoute, (c) => {
    const caller = createCaller(c, parts);
    const stopped = new AbortController();
    const signal = AbortSignal.any([caller.signal, stopped.signal]);
    const flows = operations.followFlows(given(c.req.valid("query")), { ...caller, signal });
    const stop = () => stopped.abort();
    return streams.respond(c, toMessages(flows), { name: "flow", slowClient: "wait", stop });
  });
}
