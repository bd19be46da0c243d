// SPDX-License-Identifier: Apache-2.0
// Logs of all nodes as they are written. A node that was cut off is read on from where it was.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { LogLine } from "@fairlead/protocol/routes.ts";
import { createAsyncQueue } from "#base/queue.ts";
import type { Caller, LogEntry, LogRequest } from "#control/operations.ts";
import { isUnknownThere } from "./ask-nodes.ts";
import { attendAll, RETRY_MS } from "./attend-all.ts";
import { askLogs, tellUnread } from "./read-logs.ts";
import type { SpreadOptions } from "./spread-options.ts";

const QUEUE_MAX = 1_000;
/** What is there already is put in order by time for so long; then each line is passed on as it comes. */
const GATHER_MS = 300;
const GATHERED_MAX = 10_000;
/** After a cut this much is read again: lines of several containers are only nearly in order. */
const OVERLAP_MS = 5_000;
const AGAIN_MAX = 10_000;

/** What was told of a node's newest lines, so that reading again tells nothing twice. */
interface Told {
  newestMs: number | undefined;
  readonly lines: Map<string, { readonly atMs: number; count: number }>;
}

function keyOf({ instance, stream, atMs, text }: LogEntry): string {
  return JSON.stringify([instance, stream, atMs, text]);
}

function note(told: Told, entry: LogEntry): void {
  told.newestMs = Math.max(told.newestMs ?? 0, entry.atMs);
  const key = keyOf(entry);
  const line = told.lines.get(key) ?? { atMs: entry.atMs, count: 0 };
  line.count++;
  told.lines.set(key, line);
  if (told.lines.size <= AGAIN_MAX) return;
  for (const [old, { atMs }] of told.lines)
    if (atMs < told.newestMs - OVERLAP_MS) told.lines.delete(old);
}

/** Reads a log again from a little before where it was; `false` of a line that was told already. */
function createFilter(told: Told): (entry: LogEntry) => boolean {
  const left = new Map([...told.lines].map(([key, { count }]) => [key, count]));
  return (entry) => {
    const key = keyOf(entry);
    const count = left.get(key) ?? 0;
    if (count > 0) left.set(key, count - 1);
    else note(told, entry);
    return count === 0;
  };
}

/** Lines of this node, `own`, and of all others, until the caller's signal aborts. */
export async function* followLogs(
  { others, clock }: SpreadOptions,
  own: AsyncIterable<LogEntry>,
  request: LogRequest,
  { actor, signal: caller }: Caller,
): AsyncGenerator<LogEntry> {
  const ended = new AbortController();
  const signal = AbortSignal.any([caller, ended.signal]);
  const queue = createAsyncQueue<LogEntry>(QUEUE_MAX, signal);

  async function readOn(node: NodeView, told: Told): Promise<void> {
    const { newestMs } = told;
    const from =
      newestMs === undefined ? {} : { tail: AGAIN_MAX, sinceMs: Math.floor(newestMs) - OVERLAP_MS };
    const question = askLogs({ ...request, ...from });
    const isNew = createFilter(told);
    for await (const line of others.stream(node, question, { actor, signal }, LogLine))
      if (isNew(line)) await queue.put({ ...line, node: node.name });
  }
  async function follow(node: NodeView): Promise<void> {
    const told: Told = { newestMs: undefined, lines: new Map() };
    let isTold = false;
    while (!signal.aborted) {
      try {
        await readOn(others.list().find(({ id }) => id === node.id) ?? node, told);
      } catch (thrown) {
        // A scope that a node does not have may come to it yet.
        if (!isTold && !signal.aborted && !isUnknownThere(thrown)) {
          isTold = true;
          await queue.put(tellUnread(request, node, thrown, clock));
        }
      }
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
  async function pumpOwn(): Promise<void> {
    for await (const entry of own) await queue.put(entry);
  }

  try {
    void pumpOwn().catch((thrown: unknown) => queue.close(thrown));
    void attendAll(others, clock, signal, follow);
    const gathered: LogEntry[] = [];
    const lines = queue[Symbol.asyncIterator]();
    const late = clock.sleep(GATHER_MS, signal).catch(() => undefined);
    let next = lines.next();
    while (gathered.length < GATHERED_MAX) {
      const item = await Promise.race([next, late]);
      if (item === undefined || item.done === true) break;
      gathered.push(item.value);
      next = lines.next();
    }
    yield* gathered.sort((a, b) => a.atMs - b.atMs);
    for (let item = await next; item.done !== true; item = await lines.next()) yield item.value;
  } finally {
    ended.abort();
  }
}
