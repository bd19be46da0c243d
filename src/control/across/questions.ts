// SPDX-License-Identifier: Apache-2.0
// What a node asks others when a person asks it for more than it has itself.
import { ActionRequest } from "@fairlead/protocol/requests.ts";
import { z } from "zod";

/** Where it is asked. */
export const QUESTION_PATH = "/operations";

const object = z.string().max(300);
const scope = z.string().max(300);

const AskedFlows = z.object({
  scope: scope.optional(),
  service: object.optional(),
  from: object.optional(),
  to: object.optional(),
  denied: z.boolean().optional(),
  sinceMs: z.number().optional(),
});

/** One question; its fields are those of the operation of that name. */
export const Question = z.discriminatedUnion("ask", [
  z.object({ ask: z.literal("inspect"), object, scope: scope.optional() }),
  z.object({ ask: z.literal("why"), object, scope: scope.optional() }),
  z.object({ ask: z.literal("decision"), id: object }),
  z.object({
    ask: z.literal("decisions"),
    filter: z.object({
      scope: scope.optional(),
      service: object.optional(),
      sinceMs: z.number().optional(),
      untilMs: z.number().optional(),
      outcome: z.string().max(20).optional(),
      limit: z.number().int().min(1).max(1_000),
      before: object.optional(),
    }),
  }),
  z.object({ ask: z.literal("alerts") }),
  z.object({ ask: z.literal("identities") }),
  z.object({
    ask: z.literal("revokeIdentity"),
    object,
    scope: scope.optional(),
    reason: z.string().max(500).optional(),
  }),
  z.object({ ask: z.literal("queues") }),
  z.object({ ask: z.literal("act"), scope, request: ActionRequest }),
  z.object({
    ask: z.literal("logs"),
    request: z.object({
      scope,
      names: z.array(object),
      follow: z.boolean(),
      tail: z.number().int().min(0).max(10_000),
      sinceMs: z.number().optional(),
    }),
  }),
  z.object({ ask: z.enum(["flows", "followFlows"]), query: AskedFlows }),
  z.object({ ask: z.literal("usage"), scope: scope.optional() }),
  z.object({ ask: z.literal("events"), scope: scope.optional() }),
]);
export type Question = z.infer<typeof Question>;
