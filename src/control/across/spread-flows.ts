// SPDX-License-Identifier: Apache-2.0
// Who was seen talking to whom, on all nodes: each sees what begins and ends at its own instances.
import { FlowView } from "@fairlead/protocol/flows.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { z } from "zod";
import { createAsyncQueue } from "#base/queue.ts";
import { failLookup } from "#control/lookup.ts";
import type { Answer, Caller, Operations } from "#control/operations.ts";
import type { FlowQuery } from "#model/flows.ts";
import { attendAll, RETRY_MS } from "./attend-all.ts";
import { stamp, type SpreadOptions } from "./spread-options.ts";

/** Conversations that may wait for a slow reader; beyond that the nodes wait. */
const QUEUE_MAX = 1_000;

/** One node's part. */
const FlowPart = z.object({
  missing: z.array(z.string()),
  items: z.array(FlowView),
});

function findNode({ others, self }: SpreadOptions, name: string): NodeView {
  const nodes = others.list();
  const names = [self, ...nodes.map((node) => node.name)];
  return nodes.find((node) => node.name === name) ?? failLookup(name, names);
}

async function listFlows(
  options: SpreadOptions,
  query: FlowQuery,
  caller: Caller,
): Promise<Answer<FlowView>> {
  const { local, others, self, clock } = options;
  const question = { ask: "flows", query } as const;
  if (query.node !== undefined && query.node !== self) {
    const node = findNode(options, query.node);
    const { items, missing } = await others.ask(node, question, caller, FlowPart);
    return { asOfMs: clock.nowMs(), missing, items: stamp(items, node.name) };
  }
  const own = await local.flows(query, caller);
  if (query.node === self || others.list().length === 0) return own;
  const { parts, missing } = await others.gather(question, caller, FlowPart);
  const all = parts.flatMap(({ node, value }) => stamp(value.items, node));
  const lost = parts.flatMap(({ node, value }) => value.missing.map((why) => `${node}: ${why}`));
  return {
    asOfMs: own.asOfMs,
    missing: [...own.missing, ...lost, ...missing],
    items: [...stamp(own.items, self), ...all].toSorted((a, b) => b.lastAtMs - a.lastAtMs),
  };
}

async function* followFlows(
  options: SpreadOptions,
  query: FlowQuery,
  caller: Caller,
): AsyncGenerator<FlowView> {
  const { local, others, self, clock } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([caller.signal, ended.signal]);
  const queue = createAsyncQueue<FlowView>(QUEUE_MAX, signal);
  const isWanted = (name: string): boolean => query.node === undefined || query.node === name;
  const question = { ask: "followFlows", query } as const;

  async function pump(source: AsyncIterable<FlowView>, node: string): Promise<void> {
    for await (const flow of source) await queue.put({ ...flow, node });
  }
  async function follow(node: NodeView): Promise<void> {
    while (!signal.aborted && isWanted(node.name)) {
      const now = others.list().find(({ id }) => id === node.id) ?? node;
      // One that is away is asked again.
      await pump(others.stream(now, question, { ...caller, signal }, FlowView), node.name).catch(
        () => undefined,
      );
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  try {
    if (isWanted(self))
      pump(local.followFlows(query, { ...caller, signal }), self).catch((thrown: unknown) =>
        queue.close(thrown),
      );
    void attendAll(others, clock, signal, follow);
    yield* queue;
  } finally {
    ended.abort();
  }
}

/** The operations about flows over all nodes; with no other node they are those of this one. */
export function spreadFlows(options: SpreadOptions): Pick<Operations, "flows" | "followFlows"> {
  const { local, others, self } = options;
  return {
    flows: (query, caller) => listFlows(options, query, caller),
    followFlows(query, caller) {
      if (query.node !== undefined && query.node !== self) findNode(options, query.node);
      return others.list().length === 0
        ? local.followFlows(query, caller)
        : followFlows(options, query, caller);
    },
  };
}
