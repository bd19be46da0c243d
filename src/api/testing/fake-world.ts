// SPDX-License-Identifier: Apache-2.0
// What the fake operations work on: data that a test changes, calls that it counts, events that it publishes.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type {
  Alert,
  NodeEvent,
  NodeStatus,
  ScopeView,
  ServiceView,
} from "@fairlead/protocol/views.ts";
import { awaitAbort } from "#base/await-abort.ts";
import { defineErrors, FairleadError } from "#base/errors.ts";
import { createAsyncQueue, type AsyncQueue } from "#base/queue.ts";
import type { Answer, Caller, LogEntry } from "#control/operations.ts";
import { createAlerts, createDecisions, createServices, createStatus, SCOPE } from "./fake-data.ts";

/** The kinds that the control room throws for the same reasons. */
export const fakeErrors = defineErrors({
  "no-such-object": {
    id: "FL0701",
    code: "not_found",
    cause: "Nothing that this node knows has that name",
    remedy: "see `fairlead ps -A` for the names there are",
  },
  "plan-out-of-date": {
    id: "FL0703",
    code: "aborted",
    cause: "The state or the files have changed since the plan was made",
    remedy: "make a new plan with `fairlead plan` and look at it again",
  },
});

interface Item {
  readonly id: string;
  readonly event: NodeEvent;
}

interface Feed {
  readonly readers: ReadonlySet<unknown>;
  publish(event: NodeEvent): void;
  read(afterId: string | undefined, signal: AbortSignal): AsyncIterable<Item>;
}

/** One call of an operation. */
export interface FakeCall {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly actor: string;
  /** The caller's. */
  readonly signal: AbortSignal;
}

/** Everything behind the fake operations. */
export interface FakeWorld {
  readonly calls: FakeCall[];
  readonly services: ServiceView[];
  readonly decisions: Decision[];
  readonly alerts: Alert[];
  readonly logs: LogEntry[];
  readonly feed: Feed;
  readonly nowMs: () => number;
  /** Event streams that are being read. */
  readonly readers: number;
  status: NodeStatus;
  /** What every following call does instead of its work: throw this, or not answer while the caller waits. */
  obstacle: Error | "hang" | undefined;
  /** Names of what did not answer, for every list. */
  missing: string[];
  /** Bytes of the last build's context. */
  builtBytes: number;
  /** Whether `down` was asked for and has not ended. */
  removing: boolean;
  /** Names of the volumes of every scope. */
  volumes: string[];
  /** Puts an event on the feed and, as a node would, into the lists. */
  publish(event: NodeEvent): void;
  /** Resolves once an operation has been called so often. */
  awaitCalls(name: string, count?: number): Promise<void>;
  /** Counts a call, and meets the obstacle. */
  enter(name: string, args: readonly unknown[], caller: Caller): Promise<void>;
  answer<T>(items: readonly T[]): Answer<T>;
  inScope(scope: string | undefined): ServiceView[];
  viewScope(scope: string): ScopeView;
}

function createFeed(): Feed {
  const past: Item[] = [];
  const readers = new Set<AsyncQueue<Item>>();
  return {
    readers,
    publish(event: NodeEvent): void {
      const item = { id: String(past.length + 1), event };
      past.push(item);
      for (const reader of readers) reader.push(item);
    },
    async *read(afterId: string | undefined, signal: AbortSignal): AsyncGenerator<Item> {
      const queue = createAsyncQueue<Item>(1_000_000, signal);
      readers.add(queue);
      try {
        for (const item of past.slice(afterId === undefined ? past.length : Number(afterId))) {
          queue.push(item);
        }
        yield* queue;
      } finally {
        readers.delete(queue);
      }
    },
  };
}

function createLogs(nowMs: number): LogEntry[] {
  return Array.from({ length: 40 }, (_, index) => ({
    scope: SCOPE,
    service: index % 3 === 0 ? "web" : "worker",
    instance: index % 3 === 0 ? `${SCOPE}-web-1` : `${SCOPE}-worker-2`,
    stream: index % 8 === 7 ? ("stderr" as const) : ("stdout" as const),
    atMs: nowMs - (40 - index) * 900,
    text:
      index % 8 === 7
        ? "\u001B[31mredis: connection refused\u001B[0m"
        : `job ${8_800 + index} done in ${20 + index} ms`,
  }));
}

function put<T>(list: T[], isSame: (one: T) => boolean, item: T): void {
  const at = list.findIndex(isSame);
  if (at < 0) list.unshift(item);
  else list[at] = item;
}

function record(world: FakeWorld, event: NodeEvent): void {
  if (event.kind === "decision") {
    put(world.decisions, (one) => one.id === event.decision.id, event.decision);
  }
  if (event.kind === "service") {
    put(world.services, (one) => one.name === event.service.name, event.service);
  }
  if (event.kind === "alert") {
    const at = world.alerts.findIndex((one) => one.id === event.alert.id);
    if (at >= 0) world.alerts.splice(at, 1);
    if (!event.resolved) world.alerts.push(event.alert);
  }
}

/** The shop of fake-data.ts as it is at `nowMs`. */
export function createFakeWorld(nowMs: () => number): FakeWorld {
  let next = Promise.withResolvers<void>();
  const world: FakeWorld = {
    calls: [],
    services: createServices(nowMs()),
    decisions: createDecisions(nowMs()),
    alerts: createAlerts(nowMs()),
    logs: createLogs(nowMs()),
    feed: createFeed(),
    nowMs,
    status: createStatus(nowMs(), ""),
    obstacle: undefined,
    missing: [],
    get readers() {
      return world.feed.readers.size;
    },
    builtBytes: 0,
    removing: false,
    volumes: [],
    publish(event) {
      record(world, event);
      world.feed.publish(event);
    },
    async awaitCalls(name, count = 1) {
      while (world.calls.filter((call) => call.name === name).length < count) await next.promise;
    },
    async enter(name, args, caller) {
      world.calls.push({ name, args, actor: caller.actor, signal: caller.signal });
      next.resolve();
      next = Promise.withResolvers();
      if (world.obstacle === "hang") await awaitAbort(caller.signal);
      caller.signal.throwIfAborted();
      if (world.obstacle instanceof Error) throw world.obstacle;
    },
    answer: (items) => ({ asOfMs: nowMs(), missing: world.missing, items }),
    inScope: (scope) => world.services.filter((one) => scope === undefined || one.scope === scope),
    viewScope(scope) {
      const services = world.inScope(scope);
      if (services.length === 0) {
        throw new FairleadError(fakeErrors["no-such-object"], `no scope "${scope}"`);
      }
      const { removing } = world;
      const settled = !removing && services.every((one) => one.state === "ok");
      const files = ["compose.yaml"];
      return { scope, mode: "manage", settled, removing, services, files };
    },
  };
  return world;
}
