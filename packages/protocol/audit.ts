// SPDX-License-Identifier: Apache-2.0
// What the audit log of a node says.
import { z } from "zod";
import { API_VERSION, listOf } from "./views.ts";

/** One line: what somebody did. */
export const AuditLineView = z.strictObject({
  /** Counts from 1, without gaps. */
  seq: z.number().int(),
  atMs: z.number(),
  kind: z.string(),
  actor: z.string(),
  what: z.string(),
  outcome: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  prev: z.string(),
  hash: z.string(),
});
export type AuditLineView = z.infer<typeof AuditLineView>;

/** Answer of `GET /v1/audit`, newest first. */
export const AuditList = listOf("AuditList", AuditLineView);
export type AuditList = z.infer<typeof AuditList>;

/** Answer of `GET /v1/audit/verification`. */
export const AuditVerification = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  /** Nothing was found, and every head that is kept elsewhere is a line of the log. */
  whole: z.boolean(),
  lines: z.number().int(),
  /** Number of the first line: above 1 when older ones were removed, as the log itself then says. */
  first: z.number().int(),
  /** Ed25519, raw, base64url: what the heads are signed with. */
  publicKey: z.string(),
  findings: z.array(
    z.strictObject({ file: z.string(), line: z.number().int().optional(), text: z.string() }),
  ),
  heads: z.array(
    z.strictObject({
      keeper: z.string(),
      seq: z.number().int().optional(),
      atMs: z.number().optional(),
      ok: z.boolean(),
      text: z.string(),
    }),
  ),
});
export type AuditVerification = z.infer<typeof AuditVerification>;
