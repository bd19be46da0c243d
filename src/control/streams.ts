// SPDX-License-Identifier: Apache-2.0
// Operations that go on: logs, usage, events.
import { createAsyncQueue, type AsyncQueue } from "#base/queue.ts";
import type { InstanceFact } from "#model/facts.ts";
import { failLookup } from "./lookup.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { Caller, LogEntry, LogRequest, Operations, UsageEntry } from "./operations.ts";

type Streams = Pick<Operations, "logs" | "usage" | "events">;

/** Lines that may wait for a slow reader; beyond that the oldest source waits. */
const LOG_QUEUE_MAX = 20_000;
const USAGE_INTERVAL_MS = 1_000;

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

  async function pump(
    instance: InstanceFact,
    request: LogRequest,
    signal: AbortSignal,
    queue: AsyncQueue<LogEntry>,
  ): Promise<void> {
    const { follow, tail, sinceMs } = request;
    const lines = engine.logs(instance.id, {
      follow,
      tail,
      timestamps: true,
      signal,
      ...(sinceMs === undefined ? {} : { sinceMs }),
    });
    const who = { scope: instance.scope, service: instance.service, instance: instance.name };
    try {
      for await (const { stream, atMs, text } of lines) {
        const entry = { ...who, stream, atMs: atMs ?? clock.nowMs(), text };
        while (!queue.push(entry) && !signal.aborted) await clock.sleep(20, signal);
      }
    } catch (error) {
      if (!signal.aborted && board.find(instance.id) !== undefined) throw error;
    }
  }

  async function* followLogs(request: LogRequest, caller: Caller): AsyncGenerator<LogEntry> {
    const ended = new AbortController();
    const signal = AbortSignal.any([caller.signal, ended.signal]);
    const queue = createAsyncQueue<LogEntry>(LOG_QUEUE_MAX, signal);
    const running = new Set<string>();
    const attach = (tail: number): void => {
      for (const instance of chooseInstances(request)) {
        if (running.has(instance.id) || instance.state !== "running") continue;
        running.add(instance.id);
        void pump(instance, { ...request, tail }, signal, queue)
          .catch((error: unknown) => queue.close(error))
          .finally(() => running.delete(instance.id));
      }
    };
    const leave = board.onChange(() => attach(0));
    attach(request.tail);
    try {
      yield* queue;
    } finally {
      leave();
      ended.abort();
    }
  }

  async function* readLogs(request: LogRequest, caller: Caller): AsyncGenerator<LogEntry> {
    const queue = createAsyncQueue<LogEntry>(1_000_000);
    await Promise.all(
      chooseInstances(request).map((instance) => pump(instance, request, caller.signal, queue)),
    );
    queue.close();
    const entries: LogEntry[] = [];
    for await (const entry of queue) entries.push(entry);
    yield* entries.sort((a, b) => a.atMs - b.atMs);
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
    try {
      while (!signal.aborted) {
        for (const instance of board.read().instances.filter(wanted)) {
          if (running.has(instance.id)) continue;
          running.add(instance.id);
          void read(instance);
        }
        await clock.sleep(USAGE_INTERVAL_MS, signal).catch(() => undefined);
        if (!signal.aborted) yield [...latest.values()].sort((a, b) => b.cpuPercent - a.cpuPercent);
      }
    } finally {
      ended.abort();
    }
  }

  return {
    logs(request, caller) {
      checkNames(request);
      return request.follow ? followLogs(request, caller) : readLogs(request, caller);
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
