// SPDX-License-Identifier: Apache-2.0
// Operations that go on: logs, usage, events.
import type { InstanceFact } from "#model/facts.ts";
import { createMaskCache } from "./hide.ts";
import { failLookup } from "./lookup.ts";
import { createLogStreams } from "./log-streams.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { Caller, LogRequest, Operations, UsageEntry } from "./operations.ts";

type Streams = Pick<Operations, "logs" | "usage" | "events">;

const USAGE_INTERVAL_MS = 1_000;
/** So many intervals the first reading waits for instances that were not measured twice yet. */
const USAGE_WAITS_MAX = 3;

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
    ]);
    if (known.size === 0)
      failLookup(
        request.scope,
        options.views.list().map((view) => view.scope),
      );
    for (const name of request.names) if (!known.has(name)) failLookup(name, known);
  }

  async function* usage(
    filter: { scope?: string },
    caller: Caller,
  ): AsyncGenerator<readonly UsageEntry[]> {
    const ended = new AbortController();
    const signal = AbortSignal.any([caller.signal, ended.signal]);
    const latest = new Map<string, UsageEntry>();
    const running = new Set<string>();
    const wanted = (i: InstanceFact): boolean =>
      i.state === "running" && (filter.scope === undefined || i.scope === filter.scope);
    async function read(instance: InstanceFact): Promise<void> {
      try {
        for await (const { atMs: _at, ...stats } of engine.stats(instance.id, { signal })) {
          latest.set(instance.id, {
            scope: instance.scope,
            service: instance.service,
            instance: instance.name,
            ...stats,
          });
        }
      } catch {
        // A container that ends while it is measured is no error.
      } finally {
        latest.delete(instance.id);
        running.delete(instance.id);
      }
    }
    let waits = 0;
    try {
      while (!signal.aborted) {
        for (const instance of board.read().instances.filter(wanted)) {
          if (running.has(instance.id)) continue;
          running.add(instance.id);
          void read(instance);
        }
        await clock.sleep(USAGE_INTERVAL_MS, signal).catch(() => undefined);
        const isWhole = [...running].every((id) => latest.has(id));
        if (!isWhole && ++waits < USAGE_WAITS_MAX) continue;
        waits = USAGE_WAITS_MAX;
        if (!signal.aborted) yield [...latest.values()].sort((a, b) => b.cpuPercent - a.cpuPercent);
      }
    } finally {
      ended.abort();
    }
  }

  return {
    logs(request, caller) {
      checkNames(request);
      return request.follow
        ? logs.follow(request, caller.signal)
        : logs.read(request, caller.signal);
    },
    usage,
    events: ({ afterId, scope }, caller) =>
      options.feed.read({
        ...(afterId === undefined ? {} : { afterId }),
        ...(scope === undefined ? {} : { scope }),
        signal: caller.signal,
        nowMs: clock.nowMs(),
      }),
  };
}
