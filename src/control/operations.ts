// SPDX-License-Identifier: Apache-2.0
// The operations that every face calls: CLI, HTTP and page return what these return.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type {
  ActionRequest,
  ApplyRequest,
  DownRequest,
  ScaleRequest,
} from "@fairlead/protocol/requests.ts";
import type { PullRequest, QueueView } from "@fairlead/protocol/routes.ts";
import type {
  Alert,
  InstanceView,
  NodeEvent,
  NodeStatus,
  ScopeView,
  ServiceView,
  WhyAnswer,
} from "@fairlead/protocol/views.ts";
import type { InstanceStats } from "#engine/engine.ts";
import type { Decision, Plan } from "#model/decision.ts";
import type { FlowQuery, FlowView } from "#model/flows.ts";
import type { Intent } from "#model/intent.ts";

/** Who asks, for the decision record. */
export interface Caller {
  readonly signal: AbortSignal;
  /** `uid 0 by unix socket`, `token page`. */
  readonly actor: string;
}

/** A list with how true it is. */
export interface Answer<T> {
  readonly asOfMs: number;
  /** What did not answer; empty when the list is whole. */
  readonly missing: readonly string[];
  readonly items: readonly T[];
}

export interface DecisionFilter {
  readonly scope?: string;
  readonly service?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly outcome?: string;
  readonly limit: number;
  /** Only decisions older than this id. */
  readonly before?: string;
  /** Only those of the node of that name; a node by itself has its own alone. */
  readonly node?: string;
}

export interface LogRequest {
  readonly scope: string;
  /** Services or instances; empty means all of the scope. */
  readonly names: readonly string[];
  readonly follow: boolean;
  readonly tail: number;
  readonly sinceMs?: number;
}

export interface LogEntry {
  readonly scope: string;
  readonly service: string;
  readonly instance: string;
  readonly stream: "stdout" | "stderr";
  readonly atMs: number;
  readonly text: string;
  /** Name of its node, in a fleet with others. */
  readonly node?: string | undefined;
}

/** What one instance uses. */
export interface UsageEntry extends Omit<InstanceStats, "atMs"> {
  readonly scope: string;
  readonly service: string;
  readonly instance: string;
  /** Name of its node, in a fleet with others. */
  readonly node?: string | undefined;
}

/** What running instances use, and which nodes of a fleet did not say. */
export interface UsageAnswer {
  readonly items: readonly UsageEntry[];
  readonly missing?: readonly string[];
}

export interface BuildRequest {
  readonly scope: string;
  readonly service: string;
  readonly intent: Intent;
  /** Why, in the words of who asks. */
  readonly reason?: string | undefined;
  /** The context as a tar. */
  readonly context: AsyncIterable<Uint8Array>;
}

/** Safe for concurrent use. Unknown names throw FL0701 `no-such-object` with the nearest one as remedy. */
export interface Operations {
  status(caller: Caller): Promise<NodeStatus>;
  scopes(caller: Caller): Promise<Answer<ScopeView>>;
  scope(name: string, caller: Caller): Promise<ScopeView>;
  services(filter: { scope?: string }, caller: Caller): Promise<Answer<ServiceView>>;
  instances(
    filter: { scope?: string; service?: string },
    caller: Caller,
  ): Promise<Answer<InstanceView>>;
  /** The intent of the scope with values of environment variables and inline files replaced by `[hidden]`. */
  intent(scope: string, caller: Caller): Promise<Intent>;
  /** The engine's document of one instance, with environment values hidden, and what Fairlead knows of it. */
  inspect(
    object: string,
    filter: { scope?: string },
    caller: Caller,
  ): Promise<Record<string, unknown>>;
  /** Certificates of containers that run. */
  identities(caller: Caller): Promise<Answer<IdentityView>>;
  /** Certificates of containers of all nodes that are believed no more though their time is not over, the newest first. */
  revokedIdentities(caller: Caller): Promise<Answer<IdentityView>>;
  /**
   * Believes no more what a container that runs was given, or those of a service, named as for `why`; each goes on with another
   * certificate. Returns what is revoked. Throws FL0701 `no-such-object` also for who was given none.
   */
  revokeIdentity(
    object: string,
    how: { scope?: string; reason?: string },
    caller: Caller,
  ): Promise<readonly IdentityView[]>;
  /** Messages that are kept and not acknowledged, and dead letters. */
  queues(caller: Caller): Promise<Answer<QueueView>>;
  decisions(filter: DecisionFilter, caller: Caller): Promise<Answer<Decision>>;
  decision(id: string, caller: Caller): Promise<Decision>;
  alerts(caller: Caller): Promise<Answer<Alert>>;
  /** `object` is `service/worker`, `worker`, an instance name, a scope, or a decision id. */
  why(object: string, filter: { scope?: string }, caller: Caller): Promise<WhyAnswer>;
  logs(request: LogRequest, caller: Caller): AsyncIterable<LogEntry>;
  /** Conversations that were seen, the last first. */
  flows(query: FlowQuery, caller: Caller): Promise<Answer<FlowView>>;
  /** Conversations as they are seen, about once a second, each with the count of what is new. */
  followFlows(query: FlowQuery, caller: Caller): AsyncIterable<FlowView>;
  /** One reading of every running instance, repeated about once a second until the caller's signal aborts. */
  usage(filter: { scope?: string }, caller: Caller): AsyncIterable<UsageAnswer>;
  /** Events after `afterId`; ids are opaque, ordered by arrival. */
  events(
    options: { afterId?: string; scope?: string },
    caller: Caller,
  ): AsyncIterable<{ id: string; event: NodeEvent }>;
  /** What `apply` would do; writes nothing, not even to the store. */
  plan(intent: Intent, caller: Caller): Promise<Plan>;
  /** Stores the intent; the loop acts on it. Throws FL0703 `plan-out-of-date` when `plan` no longer holds. */
  apply(request: ApplyRequest, caller: Caller): Promise<Plan>;
  /** Stores other numbers of instances, until what is wanted is applied anew. With dryRun: only the plan. */
  scale(scope: string, request: ScaleRequest, caller: Caller): Promise<Plan>;
  /** Stores that nothing is wanted. With dryRun: only the plan. */
  down(scope: string, request: DownRequest, caller: Caller): Promise<Plan>;
  /** restart, pause, resume. Returns the plan of a restart; empty for the others. */
  act(scope: string, request: ActionRequest, caller: Caller): Promise<Plan>;
  /** Builds and tags one service's image through the engine; yields the builder's output. */
  build(request: BuildRequest, caller: Caller): AsyncIterable<string>;
  /** Fetches one service's image, also when the engine has one of that name; yields the engine's progress. */
  pull(request: PullRequest, caller: Caller): AsyncIterable<string>;
  /** Which of these image references the engine has. */
  images(references: readonly string[], caller: Caller): Promise<ReadonlySet<string>>;
}
