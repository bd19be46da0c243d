// SPDX-License-Identifier: Apache-2.0
// Operations that go on: logs, usage, events.
import type { InstanceFact } from "#model/facts.ts";
import { createMaskCache } from "./hide.ts";
import { createLogStreams } from "./log-streams.ts";
import { failLookup } from "./lookup.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { LogRequest, Operations } from "./operations.ts";
import { readUsage } from "./usage-stream.ts";

type Streams = Pick<Operations, "logs" | "usage" | "events">;

/** Makes the streaming operations. */
export function createStreams(options: OperationsOptions): Streams {
  const { board, engine, clock } = options;

  function chooseInstances(request: { scope: string; names: readonly string[] }): InstanceFact[] {
    const all = board.read().instances.filter((instance) => instance.scope === request.scope);
    if (request.names.length === 0) return all;
    const wanted = (i: InstanceFact): boolean =>
      request.names.some(
        (name) => name === i.service || name === i.name || name === `${i.service}-${i.slot}`,
      );
    return all.filter(wanted);
  }

  const maskOf = createMaskCache();

  /** A program may write its secrets to its log; who may read the log need not know them. */
  function hide({ scope, service }: InstanceFact, text: string): string {
    const { services = [] } = options.supervisor.loop(scope)?.desired.intent ?? {};
    return maskOf(services.find(({ name }) => name === service))(text);
  }

  const logs = createLogStreams({ engine, board, clock, choose: chooseInstances, hide });

  function checkNames(request: LogRequest): void {
    const all = board.read().instances.filter((instance) => instance.scope === request.scope);
    const intent = options.supervisor.loop(request.scope)?.desired.intent;
    const known = new Set([
      ...all.flatMap((i) => [i.service, i.name, `${i.service}-${i.slot}`]),
      ...(intent?.services.map((service) => service.name) ?? []),
      ...(options.views.read(request.scope)?.services ?? []).flatMap(({ name, instances }) => [
        name,
        ...instances.flatMap((one) => [one.name, `${name}-${one.slot}`]),
      ]),
      ...(options.fleet?.listNames(request.scope) ?? []),
    ]);
    if (known.size === 0)
      failLookup(
        request.scope,
        options.views.list().map((view) => view.scope),
      );
    for (const name of request.names) if (!known.has(name)) failLookup(name, known);
  }

  return {
    logs(request, caller) {
      checkNames(request);
      return request.follow
        ? logs.follow(request, caller.signal)
        : logs.read(request, caller.signal);
    },
    usage: ({ scope }, caller) => readUsage({ board, engine, clock }, scope, caller.signal),
    events: ({ afterId, scope }, caller) =>
      options.feed.read({
        ...(afterId === undefined ? {} : { afterId }),
        ...(scope === undefined ? {} : { scope }),
        signal: caller.signal,
        nowMs: clock.nowMs(),
      }),
  };
}
