// SPDX-License-Identifier: Apache-2.0
// The stream of what happens, with a bounded past so that a reader can resume.
import type { NodeEvent } from "@fairlead/protocol/views.ts";
import { createAsyncQueue, type AsyncQueue } from "#base/queue.ts";

const PAST_MAX = 1_000;
const READER_MAX = 2_000;

export interface FeedItem {
  readonly id: string;
  readonly event: NodeEvent;
}

export interface EventFeed {
  publish(event: NodeEvent): void;
  /** Everything after `afterId`, then what comes; `lagged` first when the past does not reach that far. */
  read(options: {
    afterId?: string;
    scope?: string;
    signal: AbortSignal;
    nowMs: number;
  }): AsyncIterable<FeedItem>;
}

function scopeOf(event: NodeEvent): string | undefined {
  switch (event.kind) {
    case "decision":
      return event.decision.scope;
    case "service":
      return event.service.scope;
    case "engine":
      return event.scope;
    case "alert":
      return event.alert.scope;
    case "lagged":
      return undefined;
  }
}

/** A feed whose ids begin with `epoch`: ids of another process are recognised as such. */
export function createEventFeed(epoch: string): EventFeed {
  const past: FeedItem[] = [];
  const readers = new Set<AsyncQueue<FeedItem>>();
  let serial = 0;

  function findStart(afterId: string | undefined): number | undefined {
    if (afterId === undefined) return past.length;
    const [from, number] = [
      afterId.slice(0, afterId.lastIndexOf("-")),
      Number(afterId.slice(afterId.lastIndexOf("-") + 1)),
    ];
    const oldest = serial - past.length;
    if (from !== epoch || !Number.isInteger(number) || number < oldest || number > serial)
      return undefined;
    return number - oldest;
  }

  return {
    publish(event) {
      const item = { id: `${epoch}-${++serial}`, event };
      past.push(item);
      if (past.length > PAST_MAX) past.splice(0, past.length - PAST_MAX);
      for (const reader of readers) {
        if (reader.push(item)) continue;
        readers.delete(reader);
        reader.close();
      }
    },
    async *read({ afterId, scope, signal, nowMs }) {
      const queue = createAsyncQueue<FeedItem>(READER_MAX + PAST_MAX, signal);
      const start = findStart(afterId);
      if (start === undefined)
        queue.push({ id: `${epoch}-${serial}`, event: { kind: "lagged", atMs: nowMs } });
      for (const item of past.slice(start ?? past.length)) queue.push(item);
      readers.add(queue);
      try {
        for await (const item of queue) {
          const of = scopeOf(item.event);
          if (scope === undefined || of === undefined || of === scope) yield item;
        }
        if (!signal.aborted)
          yield { id: `${epoch}-${serial}`, event: { kind: "lagged", atMs: nowMs } };
      } finally {
        readers.delete(queue);
        queue.close();
      }
    },
  };
}
