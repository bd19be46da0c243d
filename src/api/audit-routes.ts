// SPDX-License-Identifier: Apache-2.0
// What was done, and whether the record of it is whole.
import { AuditList, AuditVerification } from "@fairlead/protocol/audit.ts";
import { API_VERSION } from "@fairlead/protocol/views.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { ApiEnv } from "./channel.ts";
import type { ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { countBetween, describeJson, given, PROBLEM, wrapList } from "./route-parts.ts";

const query = z.strictObject({
  kind: z.string().max(20).optional(),
  actor: z.string().max(300).optional(),
  sinceMs: z.coerce.number().optional(),
  untilMs: z.coerce.number().optional(),
  limit: countBetween(1, 10_000).default(50),
});

const listRoute = defineRoute({
  method: "get",
  path: "/v1/audit",
  "x-fairlead-role": "admin",
  summary: "What was done: API writes, sign-ins, decisions, calls of agents",
  request: { query },
  responses: { 200: describeJson("The lines, newest first", AuditList), default: PROBLEM },
});
const verifyRoute = defineRoute({
  method: "get",
  path: "/v1/audit/verification",
  "x-fairlead-role": "admin",
  summary: "Reads the whole audit log and compares it with the heads that are kept elsewhere",
  responses: { 200: describeJson("What was found", AuditVerification), default: PROBLEM },
});

/** Adds the routes about the audit log. */
export function addAuditRoutes(app: OpenAPIHono<ApiEnv>, { audit, clock }: ApiParts): void {
  app.openapi(listRoute, async (c) => {
    const { limit, ...filter } = c.req.valid("query");
    const items = await audit.list({ limit, ...given(filter) });
    const { problem } = audit;
    const answer = {
      items,
      asOfMs: clock.nowMs(),
      missing: problem === undefined ? [] : [problem],
    };
    return c.json(wrapList("AuditList", answer), 200);
  });
  app.openapi(verifyRoute, async (c) => {
    const { lines, first, findings, heads, publicKey } = await audit.verify();
    const whole = findings.length === 0 && heads.every(({ ok }) => ok);
    const found = { findings: [...findings], heads: [...heads] };
    return c.json(
      { apiVersion: API_VERSION as typeof API_VERSION, whole, lines, first, publicKey, ...found },
      200,
    );
  });
}
