// SPDX-License-Identifier: Apache-2.0
// What travels over HTTP beside the objects of views.ts: sign-in, streams, lists, builds and pulls.
import { z } from "zod";
import { Role, UserView } from "./access.ts";
import { Decision } from "./decision.ts";
import { IdentityView } from "./identity.ts";
import { Intent, ScopeName, ServiceName, SourceRef } from "./intent.ts";
import { NetworkAdvice, NetworkView, PathView } from "./network.ts";
import { NodeView } from "./node.ts";
import { PolicyView } from "./policy.ts";
import { Reason } from "./requests.ts";
import { RightsView } from "./rights.ts";
import { TokenView } from "./tokens.ts";
import {
  AgentView,
  Alert,
  API_VERSION,
  InstanceView,
  listOf,
  NodeEvent,
  Problem,
  ScopeView,
  ServiceView,
} from "./views.ts";

/** Answer of `GET /v1/scopes`: scopes. */
export const ScopeList = listOf("ScopeList", ScopeView);
export type ScopeList = z.infer<typeof ScopeList>;
/** Answer of `GET /v1/services`: services. */
export const ServiceList = listOf("ServiceList", ServiceView);
export type ServiceList = z.infer<typeof ServiceList>;
/** Answer of `GET /v1/instances`: instances. */
export const InstanceList = listOf("InstanceList", InstanceView);
export type InstanceList = z.infer<typeof InstanceList>;
/** Answer of `GET /v1/decisions`: decisions, the newest first. */
export const DecisionList = listOf("DecisionList", Decision);
export type DecisionList = z.infer<typeof DecisionList>;
/** Answer of `GET /v1/alerts`: open alerts. */
export const AlertList = listOf("AlertList", Alert);
export type AlertList = z.infer<typeof AlertList>;

/** Answer of `GET /v1/nodes`: the fleet, the node that was asked first. */
export const NodeList = listOf("NodeList", NodeView);
export type NodeList = z.infer<typeof NodeList>;

/** Answer of `GET /v1/identities`: authorities, then nodes by name, then containers. */
export const IdentityList = listOf("IdentityList", IdentityView);
export type IdentityList = z.infer<typeof IdentityList>;

/** Answer of `GET /v1/networks`: networks that span hosts. */
export const NetworkList = listOf("NetworkList", NetworkView);
export type NetworkList = z.infer<typeof NetworkList>;

/** Answer of `GET /v1/network-advice`: each service on each network of its own. */
export const NetworkAdviceList = listOf("NetworkAdviceList", NetworkAdvice);
export type NetworkAdviceList = z.infer<typeof NetworkAdviceList>;

/** Answer of `GET /v1/policies` and `PUT /v1/policies`: network policies, by scope and name. */
export const PolicyList = listOf("PolicyList", PolicyView);
export type PolicyList = z.infer<typeof PolicyList>;

/** Answer of `GET /v1/paths`: how large packets may be on the way to other nodes. */
export const PathList = listOf("PathList", PathView);
export type PathList = z.infer<typeof PathList>;

/** Answer of `GET /v1/rights`, by scope and name. */
export const RightsList = listOf("RightsList", RightsView);
export type RightsList = z.infer<typeof RightsList>;

/** Answer of `GET /v1/users`, by name. */
export const UserList = listOf("UserList", UserView);
export type UserList = z.infer<typeof UserList>;

/** Answer of `GET /v1/tokens`, newest first. */
export const TokenList = listOf("TokenList", TokenView);
export type TokenList = z.infer<typeof TokenList>;

/** Answer of `GET /v1/agents`: agents of all scopes. */
export const AgentList = listOf("AgentList", AgentView);
export type AgentList = z.infer<typeof AgentList>;

/** Messages of one subject that a group has not acknowledged, or dead letters of a subject. */
export const QueueView = z.strictObject({
  scope: z.string(),
  subject: z.string(),
  /** Absent for dead letters. */
  group: z.string().optional(),
  waiting: z.number(),
  inFlight: z.number(),
  redelivered: z.number(),
  /** When the oldest of them was published. */
  oldestAtMs: z.number().optional(),
  /** For how long nobody has read the group, and in what time it goes if that stays so; absent while it is read. */
  idle: z.strictObject({ forMs: z.number(), goesInMs: z.number() }).optional(),
  /** Name of the node that keeps them, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type QueueView = z.infer<typeof QueueView>;
/** Answer of `GET /v1/queues`: queues of the message log. */
export const QueueList = listOf("QueueList", QueueView);
export type QueueList = z.infer<typeof QueueList>;

/** One line of `GET /v1/logs`. */
export const LogLine = z.strictObject({
  scope: z.string(),
  service: z.string(),
  instance: z.string(),
  stream: z.enum(["stdout", "stderr"]),
  atMs: z.number(),
  text: z.string(),
  /** Name of the node whose clock `atMs` is, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type LogLine = z.infer<typeof LogLine>;

/** What one instance used when it was read. */
export const UsageView = z.strictObject({
  scope: z.string(),
  service: z.string(),
  instance: z.string(),
  cpuPercent: z.number(),
  memoryBytes: z.number(),
  memoryLimitBytes: z.number(),
  networkReceivedBytes: z.number(),
  networkSentBytes: z.number(),
  blockReadBytes: z.number(),
  blockWrittenBytes: z.number(),
  pids: z.number(),
  /** Name of its node, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type UsageView = z.infer<typeof UsageView>;

/** One message of `GET /v1/usage`, about one a second. */
export const UsageReading = z.strictObject({
  items: z.array(UsageView),
  /** Nodes of the fleet that did not answer, and why; absent when the reading is whole. */
  missing: z.array(z.string()).optional(),
});
export type UsageReading = z.infer<typeof UsageReading>;

/** One line of `GET /v1/events` as JSON lines; as server-sent events the id is the event's `id:`. */
export const EventLine = z.strictObject({ id: z.string(), event: NodeEvent });
export type EventLine = z.infer<typeof EventLine>;

/** Last line of a stream of JSON lines that could not go on; `event: problem` as server-sent event. */
export const ProblemLine = z.strictObject({ problem: Problem });
export type ProblemLine = z.infer<typeof ProblemLine>;

/** First line of the body of `POST /v1/builds`; after its newline comes the context as a tar. */
export const BuildHeader = z.strictObject({
  scope: ScopeName,
  service: ServiceName,
  intent: Intent,
  reason: Reason.optional(),
});
export type BuildHeader = z.infer<typeof BuildHeader>;

/** One line of the answer of `POST /v1/builds` and `POST /v1/pulls`; the last one is `done` or a ProblemLine. */
export const BuildLine = z.union([
  z.strictObject({ line: z.string() }),
  z.strictObject({ done: z.literal(true) }),
]);
export type BuildLine = z.infer<typeof BuildLine>;

/** `POST /v1/pulls`; its answer is made of BuildLines. `at` is where the service's image is written. */
export const PullRequest = z.strictObject({
  scope: ScopeName,
  service: ServiceName,
  reference: z.string().min(1).max(512),
  platform: z.string().max(100).optional(),
  at: SourceRef.optional(),
  reason: Reason.optional(),
});
export type PullRequest = z.infer<typeof PullRequest>;

/** `POST /v1/images` */
export const ImagesRequest = z.strictObject({
  references: z.array(z.string().min(1).max(512)).max(5_000),
});
export type ImagesRequest = z.infer<typeof ImagesRequest>;

/** Which of the asked images the engine has, in the order asked. */
export const ImagesAnswer = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  present: z.array(z.string()),
  absent: z.array(z.string()),
});
export type ImagesAnswer = z.infer<typeof ImagesAnswer>;

/** A link that signs a browser in, once. */
export const SignInLink = z.strictObject({ url: z.string(), expiresAt: z.string() });
export type SignInLink = z.infer<typeof SignInLink>;

/** `POST /v1/session` */
export const SessionRequest = z.union([
  /** The secret of a sign-in link. */
  z.strictObject({ once: z.string().min(1).max(200) }),
  /** A user's token, or the node's own. */
  z.strictObject({ token: z.string().min(1).max(200) }),
]);
export type SessionRequest = z.infer<typeof SessionRequest>;

/** Whether this browser is signed in. */
export const SessionView = z.strictObject({
  signedIn: z.boolean(),
  actor: z.string().optional(),
  role: Role.optional(),
  expiresAt: z.string().optional(),
});
export type SessionView = z.infer<typeof SessionView>;

/** What this node's API offers, for programs. */
export const Capabilities = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  version: z.string(),
  routes: z.array(z.strictObject({ method: z.string(), path: z.string(), summary: z.string() })),
  limits: z.record(z.string(), z.number()),
  /** The API's own kinds of error; every room has more. */
  errors: z.array(
    z.strictObject({
      id: z.string(),
      slug: z.string(),
      code: z.string(),
      cause: z.string(),
      remedy: z.string(),
    }),
  ),
});
export type Capabilities = z.infer<typeof Capabilities>;
