// SPDX-License-Identifier: Apache-2.0
// What the fabric knows of an agent: one record in the registry, announced by its node or by itself over multicast.
// The same fields as message `Agent` of fabric.proto.
import { z } from "zod";
import { AGENT_NAME, SUBSCRIPTIONS_MAX } from "./names.ts";
import { findPatternFault, SUBJECT_LENGTH_MAX } from "./subjects.ts";

/** Name of a service or an agent: a DNS label, so that DNS can answer for it. */
export const AgentName = z.string().regex(AGENT_NAME);

/** Where something stands, for routing by locality. Latitude and longitude in degrees. */
export const Locality = z.strictObject({
  zone: z.string().max(63).optional(),
  region: z.string().max(63).optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
});
export type Locality = z.infer<typeof Locality>;

/** A contract that an agent serves. */
export const ServedContract = z.strictObject({
  name: AgentName,
  /** Semantic version of the contract. */
  version: z.string().max(63),
  methods: z.array(z.string().max(63)).max(300),
});
export type ServedContract = z.infer<typeof ServedContract>;

/** A pattern of subjects: words joined by dots, `*` for one word, a last `>` for the rest. */
export const SubjectPattern = z
  .string()
  .max(SUBJECT_LENGTH_MAX)
  .superRefine((pattern, { addIssue }) => {
    const fault = findPatternFault(pattern);
    if (fault !== undefined) addIssue({ code: "custom", message: fault });
  });

/** A subject pattern that an agent wants messages of; members of one group share the load. */
export const Subscription = z.strictObject({
  pattern: SubjectPattern,
  group: z.string().max(63).optional(),
  /** True when messages are kept in the node's log until acknowledged. */
  durable: z.boolean().default(false),
});
export type Subscription = z.infer<typeof Subscription>;

/**
 * How an agent keeps up with messages that come straight from others. A reader that takes less than its senders send holds
 * them up, and nobody else.
 */
export const Backlog = z.strictObject({
  /** Bytes of messages that came and that no handler has begun with. */
  waitingBytes: z.number().int().min(0),
  /** How often a sender was held up since the agent joined, and for how long, milliseconds of all senders together. */
  heldTimes: z.number().int().min(0),
  heldMs: z.number().int().min(0),
});
export type Backlog = z.infer<typeof Backlog>;

/** An agent as the registry has it. */
export const AgentRecord = z.strictObject({
  /** Unique to one joining; a restarted process is another one. `NAME.SUFFIX` for all that join a node. */
  id: z.string().min(1).max(96),
  name: AgentName,
  scope: z.string().min(1).max(63),
  kind: z.enum(["agent", "service"]),
  /** Name of the node that the agent joined; absent when it announces itself. */
  node: z.string().max(63).optional(),
  /** `host:port` addresses on which its peers may reach it, best first; empty when only its node can. */
  addresses: z.array(z.string().max(255)).max(8),
  contracts: z.array(ServedContract).max(32),
  skills: z.array(z.string().max(63)).max(64),
  subscriptions: z.array(Subscription).max(SUBSCRIPTIONS_MAX),
  version: z.string().max(63),
  tags: z.record(z.string().max(63), z.string().max(255)),
  locality: Locality,
  /** Work in hand relative to what it can take: 0 idle, 1 full. */
  load: z.number().min(0).max(1_000),
  /** Absent while it never held a sender up. */
  backlog: Backlog.optional(),
  draining: z.boolean(),
  /** Health as the engine's health check or the agent's own gRPC health says. */
  healthy: z.boolean(),
  /** Lease: how long the record lives without a renewal. Milliseconds. */
  ttlMs: z.number().int().min(100).max(60_000),
  joinedAtMs: z.number().int().min(0),
  /** Container of the agent, where its node knows one. */
  containerId: z.string().max(64).optional(),
});
export type AgentRecord = z.infer<typeof AgentRecord>;

/** What a watcher of the registry sees. `gone` says why: left, expired, connection-lost, replaced. */
export type AgentChange =
  | { readonly type: "up" | "changed"; readonly agent: AgentRecord }
  | { readonly type: "gone"; readonly agent: AgentRecord; readonly reason: GoneReason };
/** left: it said so. expired: not heard of in time. connection-lost: as it says. replaced: another has its place. */
export type GoneReason = "left" | "expired" | "connection-lost" | "replaced";
