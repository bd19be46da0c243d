// SPDX-License-Identifier: Apache-2.0
// Reads JSON bodies whole, within bounds, before any schema sees them.
import type { MiddlewareHandler } from "hono";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import type { ApiParts } from "./parts.ts";

/** An error for a body above `sizeBytesMax`. */
export function refuseSize(sizeBytesMax: number): FairleadError {
  return new FairleadError(apiErrors["body-too-large"], "the body is too large", {
    facts: { "limit in bytes": sizeBytesMax },
  });
}

/** The deepest nesting of brackets outside of strings; needs no recursion, so no depth is too deep to measure. */
function measureDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inString) {
      if (char === 0x5c) at++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (char === 0x7d || char === 0x5d) depth--;
  }
  return deepest;
}

/** Text that is one JSON document of at most `depthMax` levels. Throws FL0512, FL0513. */
export function checkJson(text: string, depthMax: number): unknown {
  const depth = measureDepth(text);
  if (depth > depthMax) {
    throw new FairleadError(apiErrors["body-too-deep"], `the JSON has ${depth} levels`, {
      facts: { "levels at most": depthMax },
    });
  }
  try {
    return JSON.parse(text);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new FairleadError(apiErrors["bad-json"], message.slice(0, 200), { cause: thrown });
  }
}

/** Bytes as text. Throws FL0512 when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new FairleadError(apiErrors["bad-json"], "the body is not UTF-8", { cause: thrown });
  }
}

async function collect(
  body: ReadableStream<Uint8Array>,
  sizeBytesMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > sizeBytesMax) throw refuseSize(sizeBytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function expire(clock: Clock, delayMs: number, signal: AbortSignal): Promise<never> {
  await clock.sleep(delayMs, signal);
  throw new FairleadError(
    apiErrors["slow-request"],
    `the body was not complete after ${delayMs} ms`,
  );
}

/** Forms and plain text can be sent by any page; JSON cannot, unasked. */
function checkContentType(c: ApiContext, text: string): void {
  const type = c.req.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type === undefined && text === "") return;
  if (type !== "application/json") {
    throw new FairleadError(
      apiErrors["unsupported-media-type"],
      "the body has to be application/json, and to say so",
      { facts: { "content type": (type ?? "none").slice(0, 100) } },
    );
  }
  if (text === "") throw new FairleadError(apiErrors["bad-json"], "the body is empty");
}

/** Reads and checks the body of a route that takes JSON; the validator then reads it again. */
export function readJsonBody(parts: ApiParts): MiddlewareHandler<ApiEnv> {
  const { bodyBytesMax, bodyDepthMax, bodyTimeMs } = parts.settings.limits;
  return async (c, next) => {
    const { body } = c.req.raw;
    if (body === null) return next();
    if (Number(c.req.header("content-length") ?? 0) > bodyBytesMax) throw refuseSize(bodyBytesMax);
    const done = new AbortController();
    const late = expire(parts.clock, bodyTimeMs, done.signal);
    late.catch(() => undefined);
    try {
      const text = decodeUtf8(await Promise.race([collect(body, bodyBytesMax), late]));
      checkContentType(c, text);
      if (text !== "") checkJson(text, bodyDepthMax);
      const { method, headers, signal, url } = c.req.raw;
      c.req.raw = new Request(url, {
        method,
        headers,
        signal,
        ...(text === "" ? {} : { body: text }),
      });
    } finally {
      done.abort();
    }
    return next();
  };
}
