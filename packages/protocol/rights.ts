// SPDX-License-Identifier: Apache-2.0
// What agents may do with each other: Cedar policies by scope, and what was decided by them.
import { z } from "zod";
import { ScopeName } from "./intent.ts";
import { Reason } from "./requests.ts";

/** Name of a set of policies within its scope. */
export const RightsName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);
/** Longest text of one set, characters. */
export const RIGHTS_TEXT_MAX = 256 * 1024;

/** `PUT /v1/rights` */
export const RightsRequest = z.strictObject({
  scope: ScopeName,
  name: RightsName,
  /** Policies in Cedar. */
  text: z.string().max(RIGHTS_TEXT_MAX),
  reason: Reason.optional(),
});
export type RightsRequest = z.infer<typeof RightsRequest>;

/** A set of policies that is kept. */
export const RightsView = z.strictObject({
  scope: z.string(),
  name: z.string(),
  /** Names of its policies: their `@id`, else `NAME.N`. */
  policies: z.array(z.string()),
  text: z.string(),
});
export type RightsView = z.infer<typeof RightsView>;

/** `alert` and `allow` let through, the others do not. */
export const RightsOutcome = z.enum(["allow", "alert", "ask", "deny"]);
export type RightsOutcome = z.infer<typeof RightsOutcome>;

/** What policies can see of the moment. */
export const RightsContext = z.strictObject({
  method: z.string(),
  subject: z.string(),
  /** Of the caller to this target, this one included. */
  perMinute: z.number().int(),
  /** What is usual for the caller there, and how many times that it is now. */
  usualPerMinute: z.number().int(),
  timesUsual: z.number().int(),
  /** The caller was not let through to this target before, since the node started. */
  newPeer: z.boolean(),
  watchedMinutes: z.number().int(),
  hourUtc: z.number().int(),
  /** 0 is Sunday. */
  weekdayUtc: z.number().int(),
});
export type RightsContext = z.infer<typeof RightsContext>;

/** `POST /v1/rights/test` and, with how long, `POST /v1/rights/grants`. */
export const RightsQuestion = z.strictObject({
  scope: ScopeName,
  caller: z.string().min(1).max(63),
  action: z.enum(["call", "publish", "subscribe"]).default("call"),
  /** Name of an agent; for publish and subscribe a subject. */
  target: z.string().min(1).max(300),
  method: z.string().max(300).default(""),
});
export type RightsQuestion = z.infer<typeof RightsQuestion>;

/** `POST /v1/rights/grants` */
export const RightsGrant = z.strictObject({
  ...RightsQuestion.shape,
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * 86_400_000),
  reason: Reason.optional(),
});
export type RightsGrant = z.infer<typeof RightsGrant>;

/** What was decided, step by step. */
export const RightsVerdict = z.strictObject({
  outcome: RightsOutcome,
  /** For people: who, by what. */
  identity: z.string(),
  /** The policies that decided; none when nothing permits it, or the scope has none. */
  policies: z.array(z.string()),
  context: RightsContext,
  because: z.string(),
});
export type RightsVerdict = z.infer<typeof RightsVerdict>;
