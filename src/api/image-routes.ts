// SPDX-License-Identifier: Apache-2.0
// Builds: one line of JSON, then the context as a tar that is passed on as it comes in. And pulls.
import { BuildHeader, BuildLine, PullRequest } from "@fairlead/protocol/routes.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import type { Caller } from "#control/operations.ts";
import { checkJson, decodeUtf8, readJsonBody, refuseSize } from "./body.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, PROBLEM } from "./route-parts.ts";
import type { ApiLimits } from "./settings.ts";
import type { Message } from "./streams.ts";
import { refuseInvalid } from "./validation.ts";

export const BUILD_TYPE = "application/vnd.fairlead.build";

/** An answer that tells line by line how far the engine is. */
const describeLines = (what: string) => ({
  200: {
    description: `${what} line by line; the last line says \`done\` or \`problem\``,
    content: {
      "application/x-ndjson": { schema: BuildLine },
      "text/event-stream": { schema: BuildLine },
    },
  },
  default: PROBLEM,
});

const buildRoute = defineRoute({
  method: "post",
  path: "/v1/builds",
  "x-fairlead-role": "operator",
  summary: "Build and tag the image of one service",
  request: {
    body: {
      required: true,
      description: "A line of JSON (BuildHeader), a newline, and then the context as a tar",
      content: { [BUILD_TYPE]: { schema: z.string() } },
    },
  },
  responses: describeLines("The builder's output"),
});

interface SplitBody {
  readonly header: BuildHeader;
  readonly context: AsyncGenerator<Uint8Array>;
}

/** What follows the first line, bounded. */
async function* passContext(
  rest: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
  sizeBytesMax: number,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  let next: IteratorResult<Uint8Array> = { done: false, value: rest };
  while (next.done !== true) {
    sizeBytes += next.value.byteLength;
    if (sizeBytes > sizeBytesMax) throw refuseSize(sizeBytesMax);
    if (next.value.byteLength > 0) yield next.value;
    next = await chunks.next();
  }
}

function parseHeader(bytes: Uint8Array, limits: ApiLimits): BuildHeader {
  const parsed = BuildHeader.safeParse(checkJson(decodeUtf8(bytes), limits.bodyDepthMax));
  if (!parsed.success) throw refuseInvalid("header", parsed.error);
  return parsed.data;
}

async function splitBody(body: ReadableStream<Uint8Array>, limits: ApiLimits): Promise<SplitBody> {
  const chunks = body[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let sizeBytes = 0;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    const end = next.value.indexOf(0x0a);
    head.push(end < 0 ? next.value : next.value.subarray(0, end));
    sizeBytes += next.value.byteLength;
    if (end >= 0) {
      const header = parseHeader(Buffer.concat(head), limits);
      const rest = next.value.subarray(end + 1);
      return { header, context: passContext(rest, chunks, limits.buildBytesMax) };
    }
    if (sizeBytes > limits.bodyBytesMax) throw refuseSize(limits.bodyBytesMax);
  }
  throw new FairleadError(apiErrors["bad-json"], "the body has no first line of JSON");
}

async function* writeLines(lines: AsyncIterable<string>): AsyncGenerator<Message> {
  for await (const line of lines) yield { data: { line } };
  yield { data: { done: true } };
}

/** Answers with the lines of a work that ends when the client goes away. */
function respondWithLines(
  c: ApiContext,
  parts: ApiParts,
  name: string,
  work: (caller: Caller) => AsyncIterable<string>,
): Promise<Response> {
  const stopped = new AbortController();
  const caller = createCaller(c, parts);
  const lines = work({ ...caller, signal: AbortSignal.any([caller.signal, stopped.signal]) });
  return parts.streams.respond(c, writeLines(lines), {
    name,
    slowClient: "wait",
    stop: () => stopped.abort(),
  });
}

function addBuildRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { limits } = parts.settings;
  app.openapi(buildRoute, async (c) => {
    const type = c.req.header("content-type")?.split(";", 1)[0];
    if (type !== BUILD_TYPE) {
      throw new FairleadError(
        apiErrors["unsupported-media-type"],
        `a build is sent as ${BUILD_TYPE}`,
      );
    }
    const { body } = c.req.raw;
    if (body === null) throw new FairleadError(apiErrors["bad-json"], "the body is empty");
    const { header, context } = await splitBody(body, limits);
    if (header.scope !== header.intent.scope) {
      throw new FairleadError(
        apiErrors["invalid-request"],
        `header.intent.scope: is "${header.intent.scope}", header.scope says "${header.scope}"`,
        { facts: { path: "header.intent.scope" } },
      );
    }
    return respondWithLines(c, parts, "build", (caller) =>
      parts.operations.build({ ...header, context }, caller),
    );
  });
}

function addPullRoute(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const route = defineRoute({
    method: "post",
    path: "/v1/pulls",
    "x-fairlead-role": "operator",
    summary: "Fetch the image of one service",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(PullRequest) },
    responses: describeLines("The engine's progress"),
  });
  app.openapi(route, (c) => {
    const request = c.req.valid("json");
    return respondWithLines(c, parts, "pull", (caller) => parts.operations.pull(request, caller));
  });
}

/** Adds `POST /v1/builds` and `POST /v1/pulls`. */
export function addImageRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addBuildRoute(app, parts);
  addPullRoute(app, parts);
}
