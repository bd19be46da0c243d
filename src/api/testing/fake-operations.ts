// SPDX-License-Identifier: Apache-2.0
// The operations over data in memory, driven by tests: what is asked is counted, what happens is pushed.
import type { Decision, Plan } from "@fairlead/protocol/decision.ts";
import type { Alert, NodeEvent, NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import { defineErrors, FairleadError } from "#base/errors.ts";
import { createAsyncQueue, type AsyncQueue } from "#base/queue.ts";
import type { Answer, Caller, LogEntry, Operations } from "#control/operations.ts";
import {
  createAlerts,
  createDecisions,
  createIntent,
  createPlan,
  createServices,
  createStatus,
  SCOPE,
} from "./fake-data.ts";

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

/** What a test sees and changes. */
export interface FakeOperations {
  readonly operations: Operations;
  /** Every call in order: `restart`, with its arguments. */
  readonly calls: {
    readonly name: string;
    readonly args: readonly unknown[];
    readonly actor: string;
  }[];
  readonly services: ServiceView[];
  readonly decisions: Decision[];
  readonly alerts: Alert[];
  readonly logs: LogEntry[];
  status: NodeStatus;
  /** Puts an event on the feed and, as a node would, into the lists. */
  publish(event: NodeEvent): void;
  /** What every following call does instead of its work: throw this, or never answer. */
  obstacle: Error | "hang" | undefined;
  /** Names of what did not answer, for every list. */
  missing: string[];
  /** Event streams that are being read. */
  readonly readers: number;
  /** Bytes of the last build's context. */
  readonly builtBytes: number;
}

function createFeed() {
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

function findNamed(services: readonly ServiceView[], object: string): ServiceView {
  const name = object.replace(/^service\//, "");
  const found = services.find(
    (one) => one.name === name || one.instances.some((instance) => instance.name === name),
  );
  if (found !== undefined) return found;
  throw new FairleadError(fakeErrors["no-such-object"], `no service or instance "${object}"`, {
    remedy: "did you mean worker?",
  });
}

/** Operations over the shop of fake-data.ts. */
export function createFakeOperations(nowMs: () => number = Date.now): FakeOperations {
  const feed = createFeed();
  const calls: FakeOperations["calls"] = [];
  let builtBytes = 0;

  async function enter(name: string, args: readonly unknown[], caller: Caller): Promise<void> {
    calls.push({ name, args, actor: caller.actor });
    if (fake.obstacle === "hang") await new Promise(() => undefined);
    if (fake.obstacle instanceof Error) throw fake.obstacle;
  }
  function answer<T>(items: readonly T[]): Answer<T> {
    return { asOfMs: nowMs(), missing: fake.missing, items };
  }
  function inScope(scope: string | undefined): ServiceView[] {
    return fake.services.filter((one) => scope === undefined || one.scope === scope);
  }
  function viewScope(scope: string) {
    const services = inScope(scope);
    if (services.length === 0) {
      throw new FairleadError(fakeErrors["no-such-object"], `no scope "${scope}"`);
    }
    const settled = services.every((one) => one.state === "ok");
    return {
      scope,
      mode: "manage" as const,
      settled,
      removing: false,
      services,
      files: ["compose.yaml"],
    };
  }
  function emptyPlan(scope: string): Plan {
    return { ...createPlan(scope, nowMs(), "web"), steps: [] };
  }

  const operations: Operations = {
    async status(caller) {
      await enter("status", [], caller);
      return { ...fake.status, you: caller.actor, alerts: [...fake.alerts] };
    },
    async scopes(caller) {
      await enter("scopes", [], caller);
      return answer([...new Set(fake.services.map((one) => one.scope))].map(viewScope));
    },
    async scope(name, caller) {
      await enter("scope", [name], caller);
      return viewScope(name);
    },
    async services(filter, caller) {
      await enter("services", [filter], caller);
      return answer(inScope(filter.scope));
    },
    async instances(filter, caller) {
      await enter("instances", [filter], caller);
      const services = inScope(filter.scope);
      return answer(services.flatMap((one) => one.instances));
    },
    async intent(scope, caller) {
      await enter("intent", [scope], caller);
      return createIntent(scope);
    },
    async inspect(object, filter, caller) {
      await enter("inspect", [object, filter], caller);
      const service = findNamed(fake.services, object);
      return { Name: object, Config: { Env: ["PASSWORD=[hidden]"] }, fairlead: service.state };
    },
    async decisions(filter, caller) {
      await enter("decisions", [filter], caller);
      const found = fake.decisions.filter(
        (one) =>
          (filter.service === undefined || one.service === filter.service) &&
          (filter.outcome === undefined || one.outcome === filter.outcome) &&
          (filter.before === undefined || one.id < filter.before),
      );
      return answer(found.slice(0, filter.limit));
    },
    async decision(id, caller) {
      await enter("decision", [id], caller);
      const found = fake.decisions.find((one) => one.id === id);
      if (found !== undefined) return found;
      throw new FairleadError(fakeErrors["no-such-object"], `no decision "${id}"`);
    },
    async alerts(caller) {
      await enter("alerts", [], caller);
      return answer(fake.alerts);
    },
    async why(object, filter, caller) {
      await enter("why", [object, filter], caller);
      const service = findNamed(fake.services, object);
      return {
        subject: `service/${service.name}`,
        summary: `${service.name} is ${service.state}: ${service.reason || "as wanted"}`,
        service,
        decisions: fake.decisions.filter((one) => one.service === service.name),
        next:
          service.state === "quarantined"
            ? ["nothing until a person acts: fairlead resume report"]
            : [],
      };
    },
    async *logs(request, caller) {
      await enter("logs", [request], caller);
      const wanted = (entry: LogEntry): boolean =>
        request.names.length === 0 ||
        request.names.includes(entry.service) ||
        request.names.includes(entry.instance);
      viewScope(request.scope);
      let sent = 0;
      for (const entry of fake.logs.filter(wanted).toReversed().slice(0, request.tail).toReversed())
        yield entry;
      sent = fake.logs.length;
      while (request.follow && !caller.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        for (const entry of fake.logs.slice(sent).filter(wanted)) yield entry;
        sent = fake.logs.length;
      }
    },
    async *usage(filter, caller) {
      await enter("usage", [filter], caller);
      yield inScope(filter.scope).flatMap((one) =>
        one.instances.map((instance) => ({
          scope: one.scope,
          service: one.name,
          instance: instance.name,
          cpuPercent: 1.5,
          memoryBytes: 18_000_000,
          memoryLimitBytes: 512_000_000,
          networkReceivedBytes: 0,
          networkSentBytes: 0,
          blockReadBytes: 0,
          blockWrittenBytes: 0,
          pids: 3,
        })),
      );
    },
    async *events({ afterId }, caller) {
      await enter("events", [{ afterId }], caller);
      yield* feed.read(afterId, caller.signal);
    },
    async plan(intent, caller) {
      await enter("plan", [intent], caller);
      return createPlan(intent.scope, nowMs(), "web");
    },
    async apply(request, caller) {
      await enter("apply", [request], caller);
      if (request.plan !== undefined && request.plan.basis !== "8841") {
        throw new FairleadError(fakeErrors["plan-out-of-date"], "web-1 has changed since the plan");
      }
      return createPlan(request.intent.scope, nowMs(), "web");
    },
    async down(scope, request, caller) {
      await enter("down", [scope, request], caller);
      return emptyPlan(scope);
    },
    async act(scope, request, caller) {
      await enter("act", [scope, request], caller);
      if (request.action !== "restart") {
        for (const service of fake.services) {
          if (!request.services.includes(service.name)) continue;
          const paused = request.action === "pause";
          fake.publish({
            kind: "service",
            atMs: nowMs(),
            service: {
              ...service,
              state: paused ? "paused" : "ok",
              reason: paused ? "paused by a person" : "",
            },
          });
        }
        return emptyPlan(scope);
      }
      return createPlan(scope, nowMs(), request.services[0] ?? "web");
    },
    async *build(request, caller) {
      await enter("build", [request.scope, request.service], caller);
      builtBytes = 0;
      yield "Step 1/2 : FROM scratch";
      for await (const chunk of request.context) builtBytes += chunk.byteLength;
      yield `Successfully read ${builtBytes} bytes`;
    },
    async images(references, caller) {
      await enter("images", [references], caller);
      return new Set(references.filter((one) => one.startsWith(`${SCOPE}/`)));
    },
  };

  const fake: FakeOperations = {
    operations,
    calls,
    services: createServices(nowMs()),
    decisions: createDecisions(nowMs()),
    alerts: createAlerts(nowMs()),
    logs: createLogs(nowMs()),
    status: createStatus(nowMs(), ""),
    publish(event) {
      if (event.kind === "decision") {
        const at = fake.decisions.findIndex((one) => one.id === event.decision.id);
        if (at < 0) fake.decisions.unshift(event.decision);
        else fake.decisions[at] = event.decision;
      }
      if (event.kind === "service") {
        const at = fake.services.findIndex((one) => one.name === event.service.name);
        if (at < 0) fake.services.push(event.service);
        else fake.services[at] = event.service;
      }
      if (event.kind === "alert") {
        const at = fake.alerts.findIndex((one) => one.id === event.alert.id);
        if (at >= 0) fake.alerts.splice(at, 1);
        if (!event.resolved) fake.alerts.push(event.alert);
      }
      feed.publish(event);
    },
    obstacle: undefined,
    missing: [],
    get readers() {
      return feed.readers.size;
    },
    get builtBytes() {
      return builtBytes;
    },
  };
  return fake;
}
