// SPDX-License-Identifier: Apache-2.0
// Turns away who asks too often over TCP.
import type { MiddlewareHandler } from "hono";
import { FairleadError } from "#base/errors.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import type { ApiParts } from "./parts.ts";

/** Throws FL0522 when the client asks too often. */
function checkRate(c: ApiContext, { rates, settings }: ApiParts, client: string): void {
  const refusal = rates.take(client);
  if (refusal === undefined) return;
  c.set("isToldAlready", !refusal.isNews);
  const { requestsPerSecondMax } = settings.limits;
  throw new FairleadError(
    apiErrors["too-many-requests"],
    `more than ${requestsPerSecondMax} requests a second from one client`,
    { facts: { client, "retry after ms": Math.ceil(refusal.waitMs) } },
  );
}

/** Who is known has a bucket of their own. Stands behind the guard. */
export function createRateCheck(parts: ApiParts): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { channel } = c.env;
    const who = c.get("who");
    if (channel.kind === "tcp" && who !== undefined) checkRate(c, parts, who.actor);
    return next();
  };
}

/** Those whom the guard turns away share a bucket by their address, as do those who ask for the page. */
export function checkStranger(c: ApiContext, parts: ApiParts): void {
  if (c.env.channel.kind !== "tcp") return;
  checkRate(c, parts, c.env.incoming.socket.remoteAddress ?? "unknown");
}
