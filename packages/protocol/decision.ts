// SPDX-License-Identifier: Apache-2.0
// A decision: one automatic or human act, written before the act and completed after it.
import { z } from "zod";
import { SourceRef } from "./intent.ts";

/** What Fairlead can do. `service.quarantine`, `service.pause` and `service.resume` write only to the store. */
export const ActionKind = z.enum([
  "network.create",
  "network.remove",
  "volume.create",
  "volume.remove",
  "image.pull",
  "image.fetch",
  "image.build",
  "instance.create",
  "instance.start",
  "instance.restart",
  "instance.stop",
  "instance.remove",
  "instance.replace",
  "instance.rename",
  "instance.adopt",
  "instance.reap",
  "service.quarantine",
  "service.rollback",
  "service.pauseRollout",
  "service.pause",
  "service.resume",
  "address.give",
  "address.take",
  "address.repair",
  "topology.rewire",
  "topology.remove",
  "agent.offline",
  "agent.docker",
  "service.place",
  "node.gone",
  "node.back",
  "node.join",
  "node.leave",
  "node.remove",
  "node.cordon",
  "node.uncordon",
  "node.drain",
  "token.create",
  "token.revoke",
  "rights.apply",
  "rights.remove",
  "rights.grant",
  "rights.judge",
  "identity.change",
  "user.set",
  "user.remove",
  "user.token",
  "user.revoke",
  "network.join",
  "network.leave",
  "network.repair",
  "policy.apply",
  "policy.remove",
  "policy.enforce",
  "policy.repair",
  "policy.release",
  "network.encrypt",
  "network.rotate",
]);
export type ActionKind = z.infer<typeof ActionKind>;

/** Why now. */
export const Trigger = z.strictObject({
  kind: z.enum([
    "change",
    "exit",
    "unhealthy",
    "oom",
    "missing",
    "engine-restart",
    "dependency",
    "namespace",
    "schedule",
    "owner",
    "person",
    "agent",
    "surplus",
    "members",
  ]),
  /** One sentence: `process ended with code 137 (killed)`. */
  detail: z.string(),
  atMs: z.number(),
});
export type Trigger = z.infer<typeof Trigger>;

/** The rule that a decision follows, as it was written, and where: absent where nobody wrote it in a file. */
export const Rule = z.strictObject({
  /** `restart max=5/10m`, `replicas: 3`, `depends_on db: healthy`. */
  text: z.string(),
  at: SourceRef.optional(),
});
export type Rule = z.infer<typeof Rule>;

/**
 * pending: written, not done yet. interrupted: the node ended before it knew. observed: told, deliberately not done.
 */
export const DecisionOutcome = z.enum(["pending", "done", "failed", "interrupted", "observed"]);
export type DecisionOutcome = z.infer<typeof DecisionOutcome>;

/**
 * One act with its reasons. Times are the node's clock, in milliseconds since 1970; `budget` counts acts of the ladder.
 */
export const Decision = z.strictObject({
  /** `dec_…`; sorts by time. */
  id: z.string(),
  scope: z.string(),
  service: z.string().optional(),
  /** Name of the instance, network, volume or image. */
  object: z.string(),
  /** Engine id of the container it is about, where there is one; the new one after a create. */
  containerId: z.string().optional(),
  act: ActionKind,
  /** What a person reads: `restarted worker-2`. */
  title: z.string(),
  /** `automatic`, or who asked: `uid 0 by unix socket`. */
  actor: z.string(),
  /** Why, in the words of who asked: `--reason`. */
  reason: z.string().optional(),
  trigger: Trigger,
  rule: Rule,
  /** Facts that the rule looked at. Never a secret. */
  inputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  notDone: z.array(z.strictObject({ what: z.string(), why: z.string() })),
  /** Evidence kept from before the act. */
  before: z
    .strictObject({
      state: z.string(),
      exitCode: z.number().optional(),
      oomKilled: z.boolean().optional(),
      healthOutput: z.string().optional(),
      logTail: z.array(z.string()).optional(),
    })
    .optional(),
  budget: z.strictObject({ used: z.number(), max: z.number(), windowMs: z.number() }).optional(),
  plan: z.string().optional(),
  startedAtMs: z.number(),
  finishedAtMs: z.number().optional(),
  durationMs: z.number().optional(),
  outcome: DecisionOutcome,
  /** What happened: `running after 231 ms`, `No such image`. */
  result: z.string().optional(),
  /** Name of the node that decided, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type Decision = z.infer<typeof Decision>;

/** One thing a plan will do, in words and in data. */
export const PlannedStep = z.strictObject({
  act: ActionKind,
  service: z.string().optional(),
  object: z.string(),
  title: z.string(),
  because: z.string(),
  at: SourceRef.optional(),
});
export type PlannedStep = z.infer<typeof PlannedStep>;

/** What `up` will do from the state that `basis` names. Equal basis, equal steps. */
export const Plan = z.strictObject({
  id: z.string(),
  scope: z.string(),
  /** Hash of the intent and of the observed state that the steps follow from. */
  basis: z.string(),
  intentHash: z.string(),
  madeAtMs: z.number(),
  steps: z.array(PlannedStep),
  unchanged: z.number().int(),
  warnings: z.array(z.string()),
});
export type Plan = z.infer<typeof Plan>;
