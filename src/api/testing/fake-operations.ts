// SPDX-License-Identifier: Apache-2.0
// The operations over data in memory, driven by tests: what is asked is counted, what happens is pushed.
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { LogEntry, Operations } from "#control/operations.ts";
import { createIntent, createPlan, SCOPE } from "./fake-data.ts";
import { createFakeWorld, fakeErrors, type FakeWorld } from "./fake-world.ts";

/** What a test sees and changes. */
export interface FakeOperations extends FakeWorld {
  readonly operations: Operations;
}

type Streams = "logs" | "usage" | "events" | "build" | "pull";
type Writes = "plan" | "apply" | "scale" | "down" | "act";

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

function createReads(world: FakeWorld): Omit<Operations, Streams | Writes> {
  return {
    async status(caller) {
      await world.enter("status", [], caller);
      return { ...world.status, you: caller.actor, alerts: [...world.alerts] };
    },
    async flows(query, caller) {
      await world.enter("flows", [query], caller);
      return world.answer([]);
    },
    async *followFlows() {},
    async identities(caller) {
      await world.enter("identities", [], caller);
      return world.answer([]);
    },
    async revokedIdentities(caller) {
      await world.enter("revokedIdentities", [], caller);
      return world.answer([]);
    },
    async revokeIdentity(object, how, caller) {
      await world.enter("revokeIdentity", [object, how], caller);
      return [];
    },
    async scopes(caller) {
      await world.enter("scopes", [], caller);
      return world.answer(
        [...new Set(world.services.map((one) => one.scope))].map((one) => world.viewScope(one)),
      );
    },
    async scope(name, caller) {
      await world.enter("scope", [name], caller);
      return world.viewScope(name);
    },
    async services(filter, caller) {
      await world.enter("services", [filter], caller);
      return world.answer(world.inScope(filter.scope));
    },
    async instances(filter, caller) {
      await world.enter("instances", [filter], caller);
      const services = world.inScope(filter.scope);
      return world.answer(services.flatMap((one) => one.instances));
    },
    async intent(scope, caller) {
      await world.enter("intent", [scope], caller);
      return createIntent(scope);
    },
    async inspect(object, filter, caller) {
      await world.enter("inspect", [object, filter], caller);
      const service = findNamed(world.services, object);
      return { Name: object, Config: { Env: ["PASSWORD=[hidden]"] }, fairlead: service.state };
    },
    async decisions(filter, caller) {
      await world.enter("decisions", [filter], caller);
      const found = world.decisions.filter(
        (one) =>
          (filter.service === undefined || one.service === filter.service) &&
          (filter.outcome === undefined || one.outcome === filter.outcome) &&
          (filter.before === undefined || one.id < filter.before),
      );
      return world.answer(found.slice(0, filter.limit));
    },
    async decision(id, caller) {
      await world.enter("decision", [id], caller);
      const found = world.decisions.find((one) => one.id === id);
      if (found !== undefined) return found;
      throw new FairleadError(fakeErrors["no-such-object"], `no decision "${id}"`);
    },
    async queues(caller) {
      await world.enter("queues", [], caller);
      return world.answer([]);
    },
    async alerts(caller) {
      await world.enter("alerts", [], caller);
      return world.answer(world.alerts);
    },
    async why(object, filter, caller) {
      await world.enter("why", [object, filter], caller);
      const service = findNamed(world.services, object);
      return {
        subject: `service/${service.name}`,
        summary: `${service.name} is ${service.state}: ${service.reason || "as wanted"}`,
        service,
        decisions: world.decisions.filter((one) => one.service === service.name),
        next:
          service.state === "quarantined"
            ? ["nothing until a person acts: fairlead resume report"]
            : [],
      };
    },
    async images(references, caller) {
      await world.enter("images", [references], caller);
      return new Set(references.filter((one) => one.startsWith(`${SCOPE}/`)));
    },
  };
}

function createStreams(world: FakeWorld): Pick<Operations, Streams> {
  return {
    async *logs(request, caller) {
      await world.enter("logs", [request], caller);
      const wanted = (entry: LogEntry): boolean =>
        request.names.length === 0 ||
        request.names.includes(entry.service) ||
        request.names.includes(entry.instance);
      world.viewScope(request.scope);
      let sent = 0;
      for (const entry of world.logs
        .filter(wanted)
        .toReversed()
        .slice(0, request.tail)
        .toReversed())
        yield entry;
      sent = world.logs.length;
      while (request.follow && !caller.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        for (const entry of world.logs.slice(sent).filter(wanted)) yield entry;
        sent = world.logs.length;
      }
    },
    async *usage(filter, caller) {
      await world.enter("usage", [filter], caller);
      const items = world.inScope(filter.scope).flatMap((one) =>
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
      yield { items };
    },
    async *events({ afterId }, caller) {
      await world.enter("events", [{ afterId }], caller);
      yield* world.feed.read(afterId, caller.signal);
    },
    async *pull(request, caller) {
      await world.enter("pull", [request], caller);
      yield "Status: Image is up to date";
    },
    async *build(request, caller) {
      await world.enter("build", [request.scope, request.service], caller);
      world.builtBytes = 0;
      yield "Step 1/2 : FROM scratch";
      for await (const chunk of request.context) world.builtBytes += chunk.byteLength;
      yield `Successfully read ${world.builtBytes} bytes`;
    },
  };
}

function createWrites(world: FakeWorld): Pick<Operations, Writes> {
  function emptyPlan(scope: string): Plan {
    return { ...createPlan(scope, world.nowMs(), "web"), steps: [] };
  }
  return {
    async plan(intent, caller) {
      await world.enter("plan", [intent], caller);
      return createPlan(intent.scope, world.nowMs(), "web");
    },
    async apply(request, caller) {
      await world.enter("apply", [request], caller);
      if (request.plan !== undefined && request.plan.basis !== "8841") {
        throw new FairleadError(fakeErrors["plan-out-of-date"], "web-1 has changed since the plan");
      }
      return createPlan(request.intent.scope, world.nowMs(), "web");
    },
    async down(scope, request, caller) {
      await world.enter("down", [scope, request], caller);
      const because = "down was asked for";
      const steps = world.volumes.map((object) => ({
        act: "volume.remove" as const,
        object,
        title: `removed volume ${object}`,
        because,
      }));
      return { ...emptyPlan(scope), steps: request.volumes === true ? steps : [] };
    },
    async scale(scope, request, caller) {
      await world.enter("scale", [scope, request], caller);
      return createPlan(scope, world.nowMs(), Object.keys(request.replicas)[0] ?? "web");
    },
    async act(scope, request, caller) {
      await world.enter("act", [scope, request], caller);
      if (request.action !== "restart") {
        for (const service of world.services) {
          if (!request.services.includes(service.name)) continue;
          const paused = request.action === "pause";
          world.publish({
            kind: "service",
            atMs: world.nowMs(),
            service: {
              ...service,
              state: paused ? "paused" : "ok",
              reason: paused ? "paused by a person" : "",
            },
          });
        }
      }
      return createPlan(scope, world.nowMs(), request.services[0] ?? "web");
    },
  };
}

/** Operations over the shop of fake-data.ts. */
export function createFakeOperations(nowMs: () => number = Date.now): FakeOperations {
  const world = createFakeWorld(nowMs);
  const operations = { ...createReads(world), ...createStreams(world), ...createWrites(world) };
  return Object.assign(world, { operations });
}
