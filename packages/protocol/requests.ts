// SPDX-License-Identifier: Apache-2.0
// What the API takes in. Everything is refused unless these schemas accept it.
import { z } from "zod";
import { Plan } from "./decision.ts";
import { Intent, ServiceName } from "./intent.ts";
import { TopologyDeclaration } from "./topology.ts";

/** Why somebody asks, in their words; kept in the decisions that follow from it. */
export const Reason = z.string().min(1).max(500);

/** `POST /v1/plans` */
export const PlanRequest = z.strictObject({ intent: Intent });
export type PlanRequest = z.infer<typeof PlanRequest>;

/** `PUT /v1/scopes/{scope}/intent` */
export const ApplyRequest = z.strictObject({
  intent: Intent,
  /** When given, the state must still be what this plan was made from, or the answer is 409 FL0703. */
  plan: Plan.optional(),
  /** Make new containers even for services whose configuration has not changed. */
  recreate: z.boolean().optional(),
  reason: Reason.optional(),
});
export type ApplyRequest = z.infer<typeof ApplyRequest>;

/** `DELETE /v1/scopes/{scope}` */
export const DownRequest = z.strictObject({
  volumes: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  reason: Reason.optional(),
});
export type DownRequest = z.infer<typeof DownRequest>;

/** `POST /v1/scopes/{scope}/actions` */
export const ActionRequest = z.discriminatedUnion("action", [
  z.strictObject({
    action: z.literal("restart"),
    /** Names of services; empty means all. */
    services: z.array(z.string()).max(5_000),
    dryRun: z.boolean().optional(),
    reason: Reason.optional(),
  }),
  z.strictObject({
    action: z.literal("pause"),
    services: z.array(z.string()).max(5_000),
    /** Milliseconds; absent means until resumed. */
    forMs: z.number().min(1).max(31_536_000_000).optional(),
    dryRun: z.boolean().optional(),
    reason: Reason.optional(),
  }),
  z.strictObject({
    action: z.literal("resume"),
    services: z.array(z.string()).max(5_000),
    dryRun: z.boolean().optional(),
    reason: Reason.optional(),
  }),
]);
export type ActionRequest = z.infer<typeof ActionRequest>;

/** `PUT /v1/scopes/{scope}/replicas` */
export const ScaleRequest = z.strictObject({
  /** How many instances are wanted, by service; the others stay as they are. */
  replicas: z
    .record(ServiceName, z.number().int().min(0).max(10_000))
    .refine((replicas) => Object.keys(replicas).length > 0, "names no service"),
  dryRun: z.boolean().optional(),
  reason: Reason.optional(),
});
export type ScaleRequest = z.infer<typeof ScaleRequest>;

/** `POST /v1/scopes/{scope}/topology/plan` */
export const TopologyPlanRequest = z.strictObject({
  /** Absent: what removing the topology would do. */
  declaration: TopologyDeclaration.optional(),
});
export type TopologyPlanRequest = z.infer<typeof TopologyPlanRequest>;
