// SPDX-License-Identifier: Apache-2.0
// What the node's own methods of the fabric take and answer, as JSON payloads. The frames around them are in fabric.proto.
import { z } from "zod";
import { AgentName, AgentRecord, SubjectPattern } from "./agent.ts";
import { REPORTED_LINKS_MAX } from "./names.ts";

/** `$node/join`: what an agent says of itself; each further item replaces it. The node adds id, name, scope and times. */
export const JoinRequest = AgentRecord.omit({
  id: true,
  name: true,
  scope: true,
  node: true,
  joinedAtMs: true,
}).extend({
  /** Public key of the agent (Ed25519, base64url), for a ticket with which it may dial its peers. */
  key: z.string().max(64).optional(),
});
export type JoinRequest = z.infer<typeof JoinRequest>;

/** The first item that `$node/join` answers. */
export const JoinAnswer = z.strictObject({
  node: z.strictObject({ id: z.string(), name: z.string() }),
  scope: z.string(),
  /** Public key of the scope (Ed25519, base64url): it has signed the tickets of all who joined. */
  key: z.string(),
  /** The agent's own ticket, where it said a key. */
  ticket: z.string().optional(),
  /** How callers choose among instances of a service that says nothing itself. */
  route: z.string().max(255).optional(),
});
export type JoinAnswer = z.infer<typeof JoinAnswer>;

/** `$node/find` and `$node/watch`: all that is named must match. */
export const FindRequest = z.strictObject({
  name: z.string().optional(),
  kind: z.enum(["agent", "service"]).optional(),
  skill: z.string().optional(),
  contract: z.string().optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
export type FindRequest = z.infer<typeof FindRequest>;

/** Where a member of a topology may send. In `$node/watch` as `{"type":"routes","routes":…}`; null frees the agent. */
export const Routes = z.strictObject({
  /** Members that it has a link to. */
  to: z.array(z.string()),
  /** Members that have a link to it. */
  from: z.array(z.string()),
  /** For members without a link, where messages are passed on: which neighbour is next. */
  via: z.record(z.string(), z.string()),
  /** All members: what is said to or by others is not held to the topology. */
  members: z.array(z.string()),
  hopsMax: z.number().int().min(1),
});
export type Routes = z.infer<typeof Routes>;

/** Messages on one link since the last report: calls and streams that were opened, and messages that were emitted. */
export const LinkUse = z.strictObject({
  from: AgentName,
  to: AgentName,
  used: z.number().int().min(0),
  /** Tries that the topology did not allow. */
  refused: z.number().int().min(0),
});
export type LinkUse = z.infer<typeof LinkUse>;

/**
 * `$node/report`: what an agent sent itself since its last report, not through its node, which knows that. One without
 * links says that from now on silence means that nothing was sent. Of each link the agent is one end.
 */
export const LinkReport = z.strictObject({
  links: z.array(LinkUse).max(REPORTED_LINKS_MAX),
  /** Messages on links that were too many for the report. */
  omitted: z.number().int().min(0),
});
export type LinkReport = z.infer<typeof LinkReport>;

/** A container as an agent sees it. */
export const ContainerView = z.strictObject({
  id: z.string(),
  name: z.string(),
  service: z.string(),
  slot: z.number().int(),
  image: z.string(),
  /** `running`, `exited` and the engine's other words. */
  state: z.string(),
  /** `none`, `starting`, `healthy` or `unhealthy`. */
  health: z.string(),
  /** Of the last run; 0 while it runs. */
  exitCode: z.number().int(),
  /** Milliseconds since 1970; 0 when it never started. */
  startedAtMs: z.number(),
  /** Whether the agent that asks may start and stop it. */
  own: z.boolean(),
  /** Labels of its file that begin with neither `fairlead.` nor `io.fairlead.`, nor Compose's own. */
  labels: z.record(z.string(), z.string()),
});
export type ContainerView = z.infer<typeof ContainerView>;

/** `$engine/list`: the containers of the agent's scope; all that is named must match. */
export const ListContainersRequest = z.strictObject({
  service: z.string().max(255).optional(),
  /** Only those that the agent may act on. */
  own: z.boolean().optional(),
  /** Labels that they carry; an empty value fits any. */
  labels: z.record(z.string().max(255), z.string().max(4_096)).optional(),
});
export type ListContainersRequest = z.infer<typeof ListContainersRequest>;

/** What `$engine/list` answers. */
export const ListContainersAnswer = z.strictObject({ containers: z.array(ContainerView) });
export type ListContainersAnswer = z.infer<typeof ListContainersAnswer>;

/** `$engine/act`: answered with the container once it is as asked. */
export const ActOnContainerRequest = z.strictObject({
  act: z.enum(["start", "stop", "restart"]),
  /** By name, as `service-slot`, or by the beginning of its id. */
  container: z.string().min(1).max(255),
});
export type ActOnContainerRequest = z.infer<typeof ActOnContainerRequest>;

/** `$log/subscribe`: who wants messages that are kept until they are acknowledged. */
export const SubscribeRequest = z.strictObject({
  pattern: SubjectPattern,
  /** Members of a group share its messages; what it has not acknowledged waits for it. Without one: from now on only. */
  group: z.string().min(1).max(63).optional(),
  /** Where a new group begins. */
  from: z.enum(["now", "start"]).default("now"),
  ackTimeoutMs: z.number().int().min(100).max(86_400_000).default(30_000),
  /** Deliveries after which a message becomes a dead letter. */
  attemptsMax: z.number().int().min(1).max(1_000).default(5),
  /** Messages that may be with this subscriber at once: as many as it handles at once, for their time runs already. */
  inFlightMax: z.number().int().min(1).max(10_000).default(1),
  /** Sequences that it still handles from before its link broke; it keeps those that nobody else was given. */
  holding: z.array(z.number().int()).max(10_000).optional(),
});
export type SubscribeRequest = z.infer<typeof SubscribeRequest>;

/** The first item that `$log/subscribe` answers: the subscription stands. */
export const SubscribeAnswer = z.strictObject({
  /** Of `holding`, those that it keeps. */
  kept: z.array(z.number().int()),
});
export type SubscribeAnswer = z.infer<typeof SubscribeAnswer>;

/** Items that a subscriber sends: what became of a message. */
export const Settlement = z.union([
  z.strictObject({ ack: z.number().int() }),
  z.strictObject({ nack: z.number().int(), delayMs: z.number().int().min(0).max(3_600_000) }),
  z.strictObject({ reject: z.number().int(), reason: z.string().max(1_000) }),
]);
export type Settlement = z.infer<typeof Settlement>;

/** Items that `$log/publish` answers, one for each message, in any order. */
export const Receipt = z.union([
  z.strictObject({ id: z.string(), sequence: z.number(), duplicate: z.boolean() }),
  z.strictObject({
    id: z.string(),
    error: z.strictObject({
      code: z.string(),
      message: z.string(),
      retryable: z.boolean(),
      /** Where it may not be published: `rights` or `ask`. */
      reason: z.string().optional(),
    }),
  }),
]);
export type Receipt = z.infer<typeof Receipt>;
