// SPDX-License-Identifier: Apache-2.0
// Routes whose answers have no end of their own: events, logs, usage.
import { ScopeName } from "@fairlead/protocol/intent.ts";
import { EventLine, LogLine, UsageReading } from "@fairlead/protocol/routes.ts";
import { NodeEvent } from "@fairlead/protocol/views.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { Caller } from "#control/operations.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { countBetween, flag, given, PROBLEM, repeatable, scopeQuery } from "./route-parts.ts";
import type { Message } from "./streams.ts";

const eventsQuery = scopeQuery.extend({
  /** Like the header Last-Event-ID, which wins. */
  after: z.string().max(200).optional(),
});
const logsQuery = z.strictObject({
  scope: ScopeName,
  /** Services or instances; none means all. */
  name: repeatable(z.string().min(1).max(300)).default([]),
  follow: flag.default(false),
  tail: countBetween(0, 10_000).default(100),
  sinceMs: countBetween(0, Number.MAX_SAFE_INTEGER).optional(),
});

function describeStream<L extends z.ZodType, E extends z.ZodType>(
  description: string,
  line: L,
  event: E,
) {
  return {
    200: {
      description: `${description} Server-sent events when \`Accept: text/event-stream\`, else JSON lines.`,
      content: {
        "application/x-ndjson": { schema: line },
        "text/event-stream": { schema: event },
      },
    },
    default: PROBLEM,
  };
}

const eventsRoute = defineRoute({
  method: "get",
  path: "/v1/events",
  "x-fairlead-role": "viewer",
  summary: "What happens, as it happens; resumable",
  request: { query: eventsQuery },
  responses: describeStream(
    "Resume with Last-Event-ID; `lagged` means that history is gone or that you read too slowly: list again.",
    EventLine,
    NodeEvent,
  ),
});
const logsRoute = defineRoute({
  method: "get",
  path: "/v1/logs",
  "x-fairlead-role": "viewer",
  summary: "Log lines of a scope, a service or an instance",
  request: { query: logsQuery },
  responses: describeStream("One log line each.", LogLine, LogLine),
});
const usageRoute = defineRoute({
  method: "get",
  path: "/v1/usage",
  "x-fairlead-role": "viewer",
  summary: "What every instance uses, about once a second",
  request: { query: scopeQuery },
  responses: describeStream("One reading of all instances each.", UsageReading, UsageReading),
});

/** The caller of a stream, and how to end its operation when the client stops reading. */
function createStreamCaller(c: ApiContext, parts: ApiParts): { caller: Caller; stop: () => void } {
  const caller = createCaller(c, parts);
  const stopped = new AbortController();
  const signal = AbortSignal.any([caller.signal, stopped.signal]);
  return { caller: { ...caller, signal }, stop: () => stopped.abort() };
}

async function* mapMessages<T>(
  source: AsyncIterable<T>,
  convert: (item: T) => Message,
): AsyncGenerator<Message> {
  for await (const item of source) yield convert(item);
}

/** Adds the routes that stream. */
export function addStreamRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { operations, streams } = parts;
  app.openapi(eventsRoute, (c) => {
    const { scope, after } = c.req.valid("query");
    const lastEventId = c.req.header("last-event-id");
    const afterId = lastEventId === undefined || lastEventId === "" ? after : lastEventId;
    const { caller, stop } = createStreamCaller(c, parts);
    const events = operations.events(given({ afterId, scope }), caller);
    const source = mapMessages(events, ({ id, event }) => ({ id, data: event }));
    return streams.respond(c, source, { name: "event", slowClient: "drop", stop });
  });
  app.openapi(logsRoute, (c) => {
    const { name: names, ...rest } = c.req.valid("query");
    const { caller, stop } = createStreamCaller(c, parts);
    const entries = operations.logs(given({ names, ...rest }), caller);
    const source = mapMessages(entries, (data) => ({ data }));
    return streams.respond(c, source, { name: "log", slowClient: "wait", stop });
  });
  app.openapi(usageRoute, (c) => {
    const { caller, stop } = createStreamCaller(c, parts);
    const readings = operations.usage(given(c.req.valid("query")), caller);
    const source = mapMessages(readings, (data) => ({ data }));
    return streams.respond(c, source, { name: "usage", slowClient: "wait", stop });
  });
}
