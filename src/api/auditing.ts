// SPDX-License-Identifier: Apache-2.0
// Every request that writes is in the audit log before it is done, with how it ended after; so are sign-ins, and who was
// turned away. What cannot be logged is not done.
import type { MiddlewareHandler } from "hono";
import type { AuditEntry } from "#audit/audit.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import type { ApiParts } from "./parts.ts";

const READING = new Set(["GET", "HEAD", "OPTIONS"]);
/** Requests with a body that change nothing. */
const QUESTIONS = new Set(["POST /v1/plans", "POST /v1/images", "POST /v1/rights/test"]);
const TURNED_AWAY = new Set([401, 403, 429]);
const LOGINS = new Set(["/v1/session", "/v1/sign-in-links"]);

/** Method and path. A query may hold what people typed, so it stays out. */
function nameRequest(c: ApiContext): string {
  return `${c.req.method} ${c.req.path}`;
}

function makeEntry(c: ApiContext, kind: AuditEntry["kind"], outcome: string): AuditEntry {
  const who = c.get("who");
  const needs = c.get("needs");
  const facts = {
    by: c.env.channel.kind,
    ...(who === undefined ? {} : { role: who.role }),
    ...(kind !== "refused" || needs === undefined ? {} : { needs }),
  };
  return { kind, actor: who?.actor ?? "nobody", what: nameRequest(c), outcome, facts };
}

/** Notes who was turned away. Stands before all that may turn somebody away. */
export function createRefusalNotes({ audit }: ApiParts): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const isNews = c.get("isToldAlready") !== true;
    if (TURNED_AWAY.has(c.res.status) && isNews)
      audit.note(makeEntry(c, "refused", String(c.res.status)));
  };
}

/** Logs what writes. Stands behind the guard, so that it knows who asks. Throws FL1601 `audit-unwritable`. */
export function createWriteLog({ audit }: ApiParts): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const isQuestion = READING.has(c.req.method) || QUESTIONS.has(nameRequest(c));
    if (isQuestion || !c.req.path.startsWith("/v1")) return next();
    const kind = LOGINS.has(c.req.path) ? "login" : "api";
    const line = await audit.append(makeEntry(c, kind, "asked"));
    await next();
    const entry = makeEntry(c, kind, String(c.res.status));
    audit.note({ ...entry, facts: { ...entry.facts, asked: line } });
  };
}
