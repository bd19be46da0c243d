// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "@fairlead/protocol/node.ts";
import { NodeEvent } from "@fairlead/protocol/views.ts";
import { createAsyncQueue } from "#base/queue.ts";
import type { Caller } from "#control/operations.ts";
import { attendAll, RETRY_MS } from "./attend-all.ts";
import type { SpreadOptions } from "./spread-options.ts";

/** Events that may wait for a slow reader; beyond that the nodes wait. */
const QUEUE_MAX = 1_000;

type Item = { id: string; event: NodeEvent };

function nameNode(event: NodeEvent, node: string): NodeEvent {
  if (event.kind === "decision") return { ...event, decision: { ...event.decision, node } };
  if (event.kind === "alert") return { ...event, alert: { ...event.alert, node } };
  return event.kind === "engine" ? { ...event, node } : event;
}

/**
 * Events of all nodes; those of services come from this one, which knows how they stand everywhere. Its own have ids from
 * which reading can go on; what others did in between is not had again, which `lagged` says.
 */
export async function* spreadEvents(
  { local, others, desk, clock }: SpreadOptions,
  options: { afterId?: string; scope?: string },
  caller: Caller,
): AsyncGenerator<Item> {
  using _held = desk.hold();
  const ended = new AbortController();
  const signal = AbortSignal.any([caller.signal, ended.signal]);
  const queue = createAsyncQueue<Item>(QUEUE_MAX, signal);
  const filter = options.scope === undefined ? {} : { scope: options.scope };
  let lastId = options.afterId ?? "";
  const lagged = (): Item => ({ id: lastId, event: { kind: "lagged", atMs: clock.nowMs() } });

  async function pumpLocal(): Promise<void> {
    for await (const item of local.events(options, { ...caller, signal })) {
      lastId = item.id;
      await queue.put(item);
    }
    queue.close();
  }
  async function follow(node: NodeView): Promise<void> {
    let isCut = false;
    while (!signal.aborted) {
      try {
        const now = others.list().find(({ id }) => id === node.id) ?? node;
        const question = { ask: "events", ...filter } as const;
        const source = others.stream(now, question, { ...caller, signal }, NodeEvent);
        for await (const event of source) {
          if (isCut) await queue.put(lagged());
          isCut = false;
          await queue.put({ id: lastId, event: nameNode(event, node.name) });
        }
      } catch {
        // It is asked again; that something is missing is said once it answers.
      }
      isCut = true;
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  try {
    void pumpLocal().catch((thrown: unknown) => queue.close(thrown));
    void attendAll(others, clock, signal, follow);
    if (options.afterId !== undefined && others.list().length > 0) yield lagged();
    yield* queue;
  } finally {
    ended.abort();
  }
}
