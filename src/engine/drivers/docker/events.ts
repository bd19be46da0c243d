// SPDX-License-Identifier: Apache-2.0
// The engine's events as an endless, resumed sequence. `since` may repeat what was seen: events of the last moments are
// remembered by nanosecond and content. The engine keeps 256 events in memory and none over a restart; whenever some
// may be missing the reader is told to list again.
import { statSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { EngineEvent, EngineSignal } from "#engine/engine.ts";
import type { Connection } from "./connection.ts";

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;
const REMEMBERED_MAX = 1_024;
const BUFFER_CHARACTERS_MAX = 4 * 1024 * 1024;

/** The document of one event, in the form that all versions have. */
interface EventDocument {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly time?: number;
  readonly timeNano?: number;
}

/** Reads one line. `timeNano` is beyond what a double holds, so its digits are taken from the text. */
export function parseEvent(line: string): EngineEvent | undefined {
  let document: EventDocument;
  try {
    document = JSON.parse(line) as EventDocument;
  } catch {
    return undefined;
  }
  const digits = /"timeNano":(\d+)/g;
  let nano: string | undefined;
  for (const match of line.matchAll(digits)) nano = match[1];
  const { Type, Action, Actor } = document;
  if (Type === undefined || Action === undefined || Actor?.ID === undefined) return undefined;
  const timeNs = nano === undefined ? BigInt(document.time ?? 0) * 1_000_000_000n : BigInt(nano);
  return { type: Type, action: Action, id: Actor.ID, attributes: Actor.Attributes ?? {}, timeNs };
}

/** Remembers what was told, newest last. */
export interface Told {
  /** True the first time. */
  isNew(event: EngineEvent): boolean;
  readonly lastNs: bigint | undefined;
}

/** A memory of the last events, by full time and content. */
export function createTold(sinceNs: bigint | undefined): Told {
  const seen = new Set<string>();
  let lastNs = sinceNs;
  return {
    isNew(event) {
      const { timeNs, type, action, id, attributes } = event;
      const key = JSON.stringify([String(timeNs), type, action, id, attributes]);
      if (seen.has(key)) return false;
      seen.add(key);
      if (seen.size > REMEMBERED_MAX) {
        const [oldest] = seen;
        if (oldest !== undefined) seen.delete(oldest);
      }
      if (lastNs === undefined || event.timeNs > lastNs) lastNs = event.timeNs;
      return true;
    },
    get lastNs() {
      return lastNs;
    },
  };
}

/** `1700000000.000000001`: the engine's form of a time in nanoseconds. */
export function formatSince(timeNs: bigint): string {
  return `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}`;
}

/** When the engine's socket or pid file was made: another time means another process. Undefined when there is neither. */
export function readEngineStart(connection: Connection): number | undefined {
  const { endpoint } = connection;
  if (endpoint.kind !== "unix") return undefined;
  const times = [endpoint.socketPath, endpoint.socketPath.replace(/\.sock$/, ".pid")].flatMap(
    (path) => {
      try {
        return [statSync(path).ctimeMs];
      } catch {
        return [];
      }
    },
  );
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Undefined stands for bytes that were given up: something may be missing. */
async function* readEvents(lines: AsyncIterable<Buffer>): AsyncGenerator<EngineEvent | undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of lines) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const event = parseEvent(rest.slice(0, end));
      rest = rest.slice(end + 1);
      yield event;
    }
    if (rest.length > BUFFER_CHARACTERS_MAX) {
      rest = "";
      yield undefined;
    }
  }
}

/**
 * Whether the engine still has the event it told last. It keeps events in memory only, so one that has not is another
 * process. Where no event was told nothing can be said, and another process is assumed: that costs a look, no act.
 */
async function isStillKnown(
  connection: Connection,
  lastNs: bigint | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (lastNs === undefined) return false;
  const query = `since=${formatSince(lastNs)}&until=${formatSince(lastNs + 1n)}`;
  const past = await connection.call("GET", `/events?${query}`, { signal });
  return past !== undefined;
}

export interface WatchParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: Random;
  readonly sinceNs: bigint | undefined;
  readonly signal: AbortSignal;
}

/** Yields signals until the signal aborts. */
export async function* watchEvents(parts: WatchParts): AsyncGenerator<EngineSignal> {
  const { connection, clock, random, signal } = parts;
  const told = createTold(parts.sinceNs);
  let startedAtMs: number | undefined;
  let connectedBefore = false;
  let failures = 0;
  while (!signal.aborted) {
    let response: IncomingMessage | undefined;
    try {
      const since = told.lastNs === undefined ? "" : `?since=${formatSince(told.lastNs)}`;
      response = await connection.stream("GET", `/events${since}`, {
        signal,
        deadlineMs: 5_000,
      });
      const nowStartedAtMs = readEngineStart(connection);
      const same =
        nowStartedAtMs === startedAtMs && (await isStillKnown(connection, told.lastNs, signal));
      yield { kind: "connected", restarted: connectedBefore && !same };
      startedAtMs = nowStartedAtMs;
      connectedBefore = true;
      failures = 0;
      for await (const event of readEvents(response as AsyncIterable<Buffer>)) {
        if (event === undefined) yield { kind: "relist" };
        else if (told.isNew(event)) yield { kind: "event", event };
      }
      yield { kind: "disconnected", error: "the engine ended the event stream" };
    } catch (error) {
      if (signal.aborted) return;
      yield { kind: "disconnected", error: FairleadError.from(error).message };
    } finally {
      // It may have failed before a word of it was read: nobody else ends it then.
      response?.destroy();
    }
    connection.reset();
    const waitMs =
      Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** failures++) * (0.5 + random() / 2);
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
}
