// SPDX-License-Identifier: Apache-2.0
// The operations over the loops of one node. Reading is here; writing and streaming have files of their own.
import { NOT_READ } from "@fairlead/protocol/not-read.ts";
import type { NodeStatus, ScopeView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { normalizeReference } from "#brain/naming.ts";
import type { FlowQuery, FlowView } from "#model/flows.ts";
import { awaitViews, ENGINE_PATIENCE_MS, refusePart } from "./await-views.ts";
import { controlErrors } from "./errors.ts";
import { answerDecision, listNext, summarizeService } from "./explain-why.ts";
import { hideDocument, hideIntent } from "./hide.ts";
import { listHeld } from "./identity/identity-acts.ts";
import { listRevoked, revokeHeld } from "./identity/revoke-held.ts";
import { createImageWork } from "./image-work.ts";
import { listQueues } from "./list-queues.ts";
import { failLookup, findObject } from "./lookup.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { Answer, Caller, Operations } from "./operations.ts";
import { createStreams } from "./streams.ts";
import { createWrites } from "./writes.ts";

const WHY_DECISIONS = 10;

function startOfDay(nowMs: number): number {
  return nowMs - (nowMs % 86_400_000);
}

type Reads = Omit<
  Operations,
  "plan" | "apply" | "scale" | "down" | "act" | "logs" | "usage" | "events" | "build" | "pull"
>;

function createReads(options: OperationsOptions): Reads {
  const { board, supervisor, decisions, alerts, views, clock, engine } = options;

  const missing = (): readonly string[] => [
    ...(board.ready ? [] : [`engine: ${board.problem ?? NOT_READ}`]),
    ...(options.fleet?.problem === undefined
      ? []
      : [`the fleet's store: ${options.fleet.problem}`]),
  ];
  function answer<T>(items: readonly T[]): Answer<T> {
    return { asOfMs: board.ready ? clock.nowMs() : board.read().asOfMs, missing: missing(), items };
  }
  /** Of scopes, with a word where what other nodes have of them is not known. */
  function answerViews<T>(items: readonly T[]): Answer<T> {
    const said = answer(items);
    const isPart = options.fleet?.isWhole === false && options.fleet.problem === undefined;
    return isPart ? { ...said, missing: [...said.missing, `other nodes: ${NOT_READ}`] } : said;
  }
  function findView(scope: string): ScopeView {
    const names = (): readonly string[] => views.list().map((other) => other.scope);
    return views.read(scope) ?? failLookup(scope, names());
  }
  async function listScopes(scope?: string): Promise<readonly ScopeView[]> {
    await awaitViews(options);
    return scope === undefined ? views.list() : [findView(scope)];
  }

  async function status(caller: Caller): Promise<NodeStatus> {
    const scopes = await listScopes();
    const services = scopes.flatMap((scope) => scope.services);
    const managed = scopes.filter(({ mode }) => mode === "manage");
    const info = options.engineInfo();
    const page = options.page();
    const problem = decisions.problem?.message;
    return {
      ...options.identity,
      you: caller.actor,
      engine: {
        reachable: board.ready,
        ...(info === undefined ? {} : { version: info.version, apiVersion: info.apiVersion }),
        endpoint: engine.endpoint,
        ...(board.read().asOfMs > 0 ? { asOfMs: board.read().asOfMs } : {}),
        ...(board.ready ? {} : { problem: board.problem ?? NOT_READ }),
      },
      store: {
        writable: problem === undefined,
        sizeBytes: options.storeSizeBytes(),
        ...(problem === undefined ? {} : { problem }),
      },
      scopes: { managed: managed.length, observed: scopes.length - managed.length },
      services: services.length,
      instances: services.reduce((sum, service) => sum + service.running, 0),
      unhealthy: services.reduce((sum, service) => sum + service.running - service.healthy, 0),
      alerts: [...alerts.list()],
      decisionsToday: await decisions.countSince(startOfDay(clock.nowMs())),
      discovery: [...options.discovery()],
      ...(page === undefined ? {} : { page }),
    };
  }

  async function why(object: string, filter: { scope?: string }): Promise<WhyAnswer> {
    if (/^dec_[0-9A-Z]+$/.test(object)) {
      const decision = (await decisions.get(object)) ?? failLookup(object, []);
      await options.fleet?.whole();
      const services = views.read(decision.scope)?.services ?? [];
      return answerDecision(
        decision,
        services.find((service) => service.name === decision.service),
      );
    }
    const found = findObject(await listScopes(filter.scope), object, filter.scope);
    const nowMs = clock.nowMs();
    if (found.kind === "scope") {
      const { scope } = found.scope;
      const items = await decisions.list({ scope, limit: WHY_DECISIONS });
      const next = found.scope.services.flatMap((s) =>
        listNext(s.name, supervisor.loop(scope)?.last.waiting ?? [], nowMs),
      );
      const troubled = found.scope.services
        .filter((service) => service.state !== "ok")
        .map(summarizeService);
      const summary = [
        `${scope}  ${found.scope.services.length} services, ${found.scope.settled ? "settled" : "not settled"}`,
        ...troubled,
      ];
      return {
        subject: `scope/${scope}`,
        summary: summary.join("\n"),
        decisions: [...items],
        next,
      };
    }
    const { service } = found;
    const filterObject = found.kind === "instance" ? { object: found.instance.name } : {};
    const items = await decisions.list({
      scope: service.scope,
      service: service.name,
      ...filterObject,
      limit: WHY_DECISIONS,
    });
    return {
      subject:
        found.kind === "instance" ? `instance/${found.instance.name}` : `service/${service.name}`,
      summary: summarizeService(service),
      service,
      decisions: [...items],
      next: listNext(service.name, supervisor.loop(service.scope)?.last.waiting ?? [], nowMs),
    };
  }

  async function inspect(
    object: string,
    filter: { scope?: string },
  ): Promise<Record<string, unknown>> {
    const found = findObject(await listScopes(filter.scope), object, filter.scope);
    if (found.kind === "scope") return { kind: "scope", fairlead: found.scope };
    const intent = supervisor.loop(found.service.scope)?.desired.intent;
    const isMeant = ({ name }: { readonly name: string }) => name === found.service.name;
    const wanted = intent === undefined ? undefined : hideIntent(intent).services.find(isMeant);
    if (found.kind === "service")
      return { kind: "service", fairlead: found.service, intent: wanted };
    const document = await engine.inspectRaw(found.instance.id);
    const held = options.places?.list().filter(({ instance: { id } }) => id === found.instance.id);
    const [identity] = listHeld(held ?? [], clock.nowMs());
    return {
      kind: "instance",
      fairlead: found.instance,
      ...(identity === undefined ? {} : { identity }),
      intent: wanted,
      engine: hideDocument(document ?? {}, intent?.services.find(isMeant)),
    };
  }

  return {
    status,
    scopes: async () => answerViews(await listScopes()),
    async scope(name) {
      await awaitViews(options);
      refusePart(name, options);
      return findView(name);
    },
    services: async ({ scope }) =>
      answerViews((await listScopes(scope)).flatMap((view) => view.services)),
    instances: async ({ scope, service }) =>
      answerViews(
        (await listScopes(scope))
          .flatMap((view) => view.services)
          .filter((view) => service === undefined || view.name === service)
          .flatMap((view) => view.instances),
      ),
    async intent(scope) {
      const wanted = options.fleet?.wanted(scope);
      if (wanted !== undefined) return hideIntent(wanted.intent);
      const loop = supervisor.loop(scope) ?? failLookup(scope, supervisor.loops.keys());
      return hideIntent(loop.desired.intent);
    },
    inspect,
    identities: async () => answer(listHeld(options.places?.list() ?? [], clock.nowMs())),
    revokedIdentities: async () => answer(listRevoked(options.revocations.list())),
    async revokeIdentity(object, { scope, reason }, { actor }) {
      const found = findObject(await listScopes(scope), object, scope);
      if (found.kind === "scope")
        throw new FairleadError(controlErrors["no-such-object"], `${object} is a scope`, {
          remedy: "name a container or a service of it",
        });
      const meant = found.kind === "instance" ? [found.instance] : found.service.instances;
      const here = meant.flatMap(({ id }) => board.find(id) ?? []);
      const asked = reason === undefined ? { actor } : { actor, reason };
      return revokeHeld(options, here, asked);
    },
    queues: async () => answer(listQueues(options.fabric.queues())),
    decisions: async (filter) => answer(await decisions.list(filter)),
    async decision(id) {
      return (await decisions.get(id)) ?? failLookup(id, []);
    },
    alerts: async () => answer(alerts.list()),
    flows: (query) => readFlows(options, query),
    followFlows: (query, { signal }) => options.policies.flows.follow(query, signal),
    why,
    async images(references) {
      await board.settle(ENGINE_PATIENCE_MS);
      if (!board.ready) {
        throw new FairleadError(
          controlErrors["engine-away"],
          board.problem ?? "the engine does not answer",
        );
      }
      const { images } = board.read();
      return new Set(references.filter((reference) => images.has(normalizeReference(reference))));
    },
  };
}

async function readFlows(
  { policies, clock }: OperationsOptions,
  query: FlowQuery,
): Promise<Answer<FlowView>> {
  const items = await policies.flows.list(query);
  const { lost } = policies.flows;
  const missing = [
    ...(policies.problem === undefined ? [] : [`policy: ${policies.problem}`]),
    ...(lost === 0 ? [] : [`${lost} conversations that could not be told apart`]),
  ];
  return { items, asOfMs: clock.nowMs(), missing };
}

/** All operations of this node. */
export function openOperations(options: OperationsOptions): Operations {
  return {
    ...createReads(options),
    ...createWrites(options),
    ...createStreams(options),
    ...createImageWork(options),
  };
}
