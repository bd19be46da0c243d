// SPDX-License-Identifier: Apache-2.0
// What every face shows: CLI, HTTP, page. One object each, the same everywhere.
import { z } from "zod";
import { Role } from "./access.ts";
import { AgentRecord } from "./agent.ts";
import { Decision } from "./decision.ts";
import { Diagnostic, SourceRef } from "./intent.ts";

/** Stands in every list; another version has other shapes. */
export const API_VERSION = "fairlead/v1";

/** manage: kept as the intent says. observe: looked at only, because nobody said `up` for it. */
export const ScopeMode = z.enum(["manage", "observe"]);
export type ScopeMode = z.infer<typeof ScopeMode>;

/** A state is a word that a person reads; colours and shapes follow from it. */
export const ServiceState = z.enum([
  "ok",
  "starting",
  "updating",
  "waiting",
  "degraded",
  "healing",
  "quarantined",
  "stopped",
  "completed",
  "paused",
  "removing",
  "unknown",
]);
export type ServiceState = z.infer<typeof ServiceState>;

/** A port as it is published now: of the host, and of the container behind it. */
export const PublishedPort = z.strictObject({
  hostIp: z.string(),
  hostPort: z.number().int(),
  containerPort: z.number().int(),
  protocol: z.string(),
});

/** One container. Times are the engine's clock, in milliseconds since 1970; absent while it has not happened. */
export const InstanceView = z.strictObject({
  id: z.string(),
  name: z.string(),
  scope: z.string(),
  service: z.string(),
  slot: z.number().int(),
  image: z.string(),
  /** The engine's word: created, running, paused, restarting, removing, exited, dead. */
  state: z.string(),
  health: z.enum(["none", "starting", "healthy", "unhealthy"]),
  exitCode: z.number().int().optional(),
  oomKilled: z.boolean(),
  startedAtMs: z.number().optional(),
  finishedAtMs: z.number().optional(),
  createdAtMs: z.number(),
  ports: z.array(PublishedPort),
  /** Network name to address. */
  addresses: z.record(z.string(), z.string()),
  /** The same of IPv6; absent where it has none. */
  addresses6: z.record(z.string(), z.string()).optional(),
  /** Set while it is about to be stopped: it gets no new connections of its service's address. */
  leaving: z.literal(true).optional(),
  /** Whether it has the configuration that the intent asks for. */
  current: z.boolean(),
  adopted: z.boolean(),
  /** Name of the node on which it is, where the node that was asked belongs to a fleet. */
  node: z.string().optional(),
});
export type InstanceView = z.infer<typeof InstanceView>;

/** One service: how it stands, how many of its instances are as wanted, and those that are there. */
export const ServiceView = z.strictObject({
  scope: z.string(),
  name: z.string(),
  mode: ScopeMode,
  state: ServiceState,
  /** One sentence why it is in that state; empty when ok. */
  reason: z.string(),
  image: z.string(),
  wanted: z.number().int(),
  running: z.number().int(),
  healthy: z.number().int(),
  current: z.number().int(),
  ports: z.array(PublishedPort),
  /** Its own addresses, behind which the kernel balances; absent where it has none. */
  addresses: z.array(z.string()).optional(),
  dependsOn: z.array(z.string()),
  heal: z.string(),
  /** Acts of the ladder in the running window. */
  healUsed: z.number().int(),
  healMax: z.number().int(),
  pausedUntilMs: z.number().optional(),
  at: SourceRef.optional(),
  warnings: z.array(Diagnostic),
  instances: z.array(InstanceView),
});
export type ServiceView = z.infer<typeof ServiceView>;

/** Something that a person has to see to; open until it no longer holds. */
export const Alert = z.strictObject({
  id: z.string(),
  scope: z.string(),
  service: z.string().optional(),
  /** `HealGaveUp`, `RolloutFailed`, `EngineUnreachable`, `StoreFull`, `StoreUnavailable`, `DecisionsLost`, `Failing`, `IntentUnread`. */
  name: z.string(),
  message: z.string(),
  decision: z.string().optional(),
  sinceMs: z.number(),
  /** Name of the node that raised it, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type Alert = z.infer<typeof Alert>;

/** One scope and its services: those of its intent, or of an observed one those that its containers name. */
export const ScopeView = z.strictObject({
  scope: z.string(),
  mode: ScopeMode,
  /** True once everything is as the intent says. */
  settled: z.boolean(),
  removing: z.boolean(),
  services: z.array(ServiceView),
  files: z.array(z.string()),
});
export type ScopeView = z.infer<typeof ScopeView>;

/** An agent as lists show it. */
export const AgentView = AgentRecord.extend({
  /**
   * How a node knows of an agent that joined another one; absent for its own. `plain`: from a heartbeat that anybody may
   * have sent. `link`: its node tells this one, and it can be called from here.
   */
  source: z.enum(["link", "registry", "multicast", "seeds", "plain"]).optional(),
  /** Since when it is not heard of any more; absent while it is. */
  offlineSinceMs: z.number().optional(),
});
export type AgentView = z.infer<typeof AgentView>;

/** One way in which a node learns of agents of other nodes. */
export const DiscoveryWay = z.strictObject({
  kind: z.enum(["registry", "multicast", "seeds"]),
  state: z.enum(["on", "off", "failed"]),
  /** `239.255.71.17:7118 on eth0`. */
  where: z.string(),
  /** IPv4 address of this host that it uses. */
  address: z.string().optional(),
  /** Why it is off or failed. */
  problem: z.string().optional(),
  peers: z.array(
    z.strictObject({
      name: z.string(),
      state: z.enum(["alive", "suspect"]),
      silentMs: z.number(),
      agents: z.number().int(),
    }),
  ),
  /** How often it says that it is there. */
  heartbeatMs: z.number().optional(),
  /** How long ago it last heard itself; absent when it never did. */
  selfHeardMs: z.number().optional(),
  /** What came in, by what became of it: `unauthenticated` are strangers, `replayed` copies. */
  counters: z.record(z.string(), z.number()),
});
export type DiscoveryWay = z.infer<typeof DiscoveryWay>;

/** How the node itself stands. Times are its own clock, in milliseconds since 1970. */
export const NodeStatus = z.strictObject({
  version: z.string(),
  node: z.string(),
  pid: z.number().int(),
  startedAtMs: z.number(),
  /** Where it keeps its things: absolute paths of this host. */
  places: z
    .strictObject({ stateDir: z.string(), socket: z.string(), fabricSocket: z.string() })
    .optional(),
  /** Who is asking: `uid 0 by unix socket`, `token`. */
  you: z.string(),
  /** What who is asking may do. */
  role: Role.optional(),
  engine: z.strictObject({
    reachable: z.boolean(),
    version: z.string().optional(),
    apiVersion: z.string().optional(),
    endpoint: z.string(),
    /** When facts were last read from the engine. */
    asOfMs: z.number().optional(),
    /** Why it is not reachable: `NOT_READ` before it was asked for the first time. */
    problem: z.string().optional(),
  }),
  store: z.strictObject({
    writable: z.boolean(),
    sizeBytes: z.number(),
    problem: z.string().optional(),
  }),
  scopes: z.strictObject({ managed: z.number().int(), observed: z.number().int() }),
  services: z.number().int(),
  instances: z.number().int(),
  unhealthy: z.number().int(),
  alerts: z.array(Alert),
  decisionsToday: z.number().int(),
  discovery: z.array(DiscoveryWay).optional(),
  page: z.string().optional(),
});
export type NodeStatus = z.infer<typeof NodeStatus>;

/** The envelope of every list. */
export function listOf<T extends z.ZodType>(kind: string, item: T) {
  return z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind),
    asOf: z.string(),
    /** True when some source did not answer; `missing` names it. */
    partial: z.boolean(),
    missing: z.array(z.string()),
    items: z.array(item),
  });
}

/** What `why` answers for an object or a decision. */
export const WhyAnswer = z.strictObject({
  subject: z.string(),
  summary: z.string(),
  service: ServiceView.optional(),
  decisions: z.array(Decision),
  /** What it waits for now, and what will happen next. */
  next: z.array(z.string()),
  /** Nodes of the fleet that did not answer, and why; absent when the answer is whole. */
  missing: z.array(z.string()).optional(),
});
export type WhyAnswer = z.infer<typeof WhyAnswer>;

/** One message of the event stream. */
export const NodeEvent = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("decision"), atMs: z.number(), decision: Decision }),
  z.strictObject({ kind: z.literal("service"), atMs: z.number(), service: ServiceView }),
  z.strictObject({
    kind: z.literal("engine"),
    atMs: z.number(),
    scope: z.string().optional(),
    service: z.string().optional(),
    object: z.string(),
    action: z.string(),
    /** Name of the node whose engine it is, where it is not that of the node that was asked. */
    node: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("alert"),
    atMs: z.number(),
    alert: Alert,
    resolved: z.boolean(),
  }),
  /** History before this point is gone: list again. */
  z.strictObject({ kind: z.literal("lagged"), atMs: z.number() }),
]);
export type NodeEvent = z.infer<typeof NodeEvent>;

/** RFC 9457 problem details, with Fairlead's code, facts and remedy. */
export const Problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  /** `FL0301`. */
  id: z.string(),
  slug: z.string(),
  code: z.string(),
  cause: z.string(),
  remedy: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  at: SourceRef.optional(),
});
export type Problem = z.infer<typeof Problem>;
