// SPDX-License-Identifier: Apache-2.0
// Logs of many containers as one: what there is, merged by time, and then what comes, over restarts and new containers.
// Nothing is gathered: each container's log waits at the engine until its reader has room.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createAsyncQueue } from "#base/queue.ts";
import type { EngineReader, LogLine, LogOptions } from "#engine/engine.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { FactsBoard } from "./facts-board.ts";
import { createLogCursor, type LogCursor } from "./log-cursor.ts";
import { mergeByTime } from "./merge-by-time.ts";
import type { LogEntry, LogRequest } from "./operations.ts";

export interface LogStreamsOptions {
  readonly engine: Pick<EngineReader, "logs">;
  readonly board: Pick<FactsBoard, "find" | "onChange">;
  readonly clock: Clock;
  /** The instances that a request means now. */
  readonly choose: (request: LogRequest) => readonly InstanceFact[];
  /** Hides in a line what its reader must not see. */
  readonly hide: (instance: InstanceFact, text: string) => string;
}

export interface LogStreams {
  /** What there is now, by time. */
  read(request: LogRequest, signal: AbortSignal): AsyncIterable<LogEntry>;
  /** The same, and then each line as it is written, once, until the signal aborts. */
  follow(request: LogRequest, signal: AbortSignal): AsyncIterable<LogEntry>;
}

/** Lines that may wait for a slow reader; beyond that the logs wait. */
const QUEUE_MAX = 1_000;
/** How long the engine's word that a container has ended may be behind the end of its log. */
const PAUSE_MS = 500;

type Line = Pick<LogLine, "stream" | "atMs" | "text">;

/** How a log is read beside others. */
interface Beside {
  readonly cursor: LogCursor;
  /** Containers of which it was told that their log cannot be read. */
  readonly told: Set<string>;
  readonly worthThrowing: (error: FairleadError) => boolean;
}

interface Followed {
  readonly cursor: LogCursor;
  /** The state up to whose end it was read. */
  stamp: string;
  running: boolean;
  /** Ends a pause. */
  wake?: () => void;
}

/** Changes whenever a container may have written something that a reader who was at its end has not seen. */
function stampOf({ state, startedAtMs, finishedAtMs }: InstanceFact): string {
  return `${state} ${startedAtMs} ${finishedAtMs}`;
}

/** Makes the streams over an engine and what is known of its containers. */
export function createLogStreams(options: LogStreamsOptions): LogStreams {
  const { engine, board, clock, choose, hide } = options;

  function toEntry(from: InstanceFact, line: Line): LogEntry {
    const { id, scope, service, name } = from;
    const { stream, atMs = clock.nowMs() } = line;
    const text = hide(from, line.text);
    // A newer container gets the name of the one that it replaces while it is read.
    return { scope, service, instance: board.find(id)?.name ?? name, stream, atMs, text };
  }

  async function* open(
    instance: InstanceFact,
    how: LogOptions,
    cursor: LogCursor,
  ): AsyncGenerator<LogEntry> {
    const { sinceNs } = cursor;
    cursor.restart();
    const from = sinceNs === undefined ? {} : { sinceNs };
    for await (const line of engine.logs(instance.id, { timestamps: true, ...how, ...from }))
      if (cursor.take(line)) yield toEntry(instance, line);
  }

  /** One that cannot be read is told once and must not hide the others; throws what is `worthThrowing`. */
  async function* openBeside(
    instance: InstanceFact,
    how: LogOptions,
    { cursor, told, worthThrowing }: Beside,
  ): AsyncGenerator<LogEntry> {
    if (told.has(instance.id)) return;
    try {
      yield* open(instance, how, cursor);
    } catch (thrown) {
      const error = FairleadError.from(thrown);
      const isGone = error.code === "not_found" || board.find(instance.id) === undefined;
      if (how.signal?.aborted === true || isGone) return;
      if (worthThrowing(error)) throw error;
      told.add(instance.id);
      const text = `(fairlead cannot read this log: ${error.message})`;
      yield toEntry(instance, { stream: "stderr", atMs: undefined, text });
    }
  }

  async function* readNow(
    instances: readonly InstanceFact[],
    request: LogRequest,
    signal: AbortSignal,
    besideOf: (instance: InstanceFact) => Beside,
  ): AsyncGenerator<LogEntry> {
    const { tail, sinceMs } = request;
    // Without a line from the past it would not be known where the future begins.
    const how = { tail: Math.max(tail, 1), signal, ...(sinceMs === undefined ? {} : { sinceMs }) };
    const sources = instances.map((instance) => openBeside(instance, how, besideOf(instance)));
    for await (const entry of mergeByTime(sources)) if (tail > 0) yield entry;
  }

  async function* follow(request: LogRequest, caller: AbortSignal): AsyncGenerator<LogEntry> {
    const ended = new AbortController();
    const signal = AbortSignal.any([caller, ended.signal]);
    const queue = createAsyncQueue<LogEntry>(QUEUE_MAX, signal);
    const followed = new Map<string, Followed>();
    const told = new Set<string>();
    const { sinceMs } = request;
    const how = { follow: true, signal, ...(sinceMs === undefined ? {} : { sinceMs }) };

    function begin({ id }: InstanceFact): Followed {
      const state: Followed = { cursor: createLogCursor(), stamp: "", running: false };
      followed.set(id, state);
      return state;
    }

    /** Reads what one container has written since; returns at its end, or at once when the engine is away. */
    async function readOn(instance: InstanceFact, { cursor }: Followed): Promise<void> {
      const beside = { cursor, told, worthThrowing: (error: FairleadError) => error.retryable };
      try {
        for await (const entry of openBeside(instance, how, beside)) await queue.put(entry);
      } catch {
        // It is tried again after a pause: nothing is lost by it.
      }
    }

    /** Reads on, again and again as long as the container may write; once more after its end. */
    async function pump(id: string, state: Followed): Promise<void> {
      state.running = true;
      for (;;) {
        const instance = board.find(id);
        const stamp = instance === undefined ? state.stamp : stampOf(instance);
        const isDone = stamp === state.stamp && instance?.state !== "running";
        if (instance === undefined || isDone || signal.aborted) {
          state.running = false;
          return;
        }
        state.stamp = stamp;
        await readOn(instance, state);
        const now = board.find(id);
        if (now !== undefined && stampOf(now) === stamp) await pause(state);
      }
    }

    /** Until the engine's word on the container has come, or for a while. */
    async function pause(state: Followed): Promise<void> {
      await new Promise<void>((resolve) => {
        state.wake = resolve;
        void clock.sleep(PAUSE_MS, signal).then(resolve, resolve);
      });
      delete state.wake;
    }

    const attach = (): void => {
      for (const instance of choose(request)) {
        const state = followed.get(instance.id) ?? begin(instance);
        if (!state.running) void pump(instance.id, state).catch((error) => queue.close(error));
        else if (stampOf(instance) !== state.stamp) state.wake?.();
      }
      for (const id of followed.keys()) if (board.find(id) === undefined) followed.delete(id);
    };

    try {
      const first = choose(request);
      for (const instance of first) begin(instance);
      yield* readNow(first, request, signal, (instance) => ({
        cursor: (followed.get(instance.id) ?? begin(instance)).cursor,
        told,
        worthThrowing: (error) => error.retryable || first.length === 1,
      }));
      using stack = new DisposableStack();
      stack.defer(board.onChange(attach));
      attach();
      yield* queue;
    } finally {
      ended.abort();
    }
  }

  return {
    read(request, signal) {
      const instances = choose(request);
      const told = new Set<string>();
      return readNow(instances, request, signal, () => ({
        cursor: createLogCursor(),
        told,
        worthThrowing: () => instances.length === 1,
      }));
    },
    follow,
  };
}
